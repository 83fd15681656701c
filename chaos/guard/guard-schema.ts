/** The schema of `guard:` in a firedrill.yaml: when and how far its system may be broken; README.md explains it. */
import * as z from 'zod';
import { text } from '../scenarios/fields.js';
import { accessSchema } from '../system/access-schema.js';

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const production = z
  .strictObject({
    prometheus: accessSchema
      .optional()
      .describe('asked for the budget, and for pages without alertmanager'),
    alertmanager: accessSchema.optional().describe('asked for pages that fire'),
    pages: z
      .enum(['refused', 'allowed'])
      .default('refused')
      .describe('whether a drill may begin while a page fires'),
    budgetLeft: text
      .regex(/^\d{1,3}%$/, { error: 'expected such as 20%' })
      .transform((share) => Number(share.slice(0, -1)) / 100)
      .optional()
      .describe('of every SLO of the drill, below which nothing is broken'),
  })
  .refine((p) => p.prometheus !== undefined || p.alertmanager !== undefined, {
    error: 'expected prometheus or alertmanager',
  })
  .refine((p) => p.budgetLeft === undefined || p.prometheus !== undefined, {
    error: 'expected prometheus beside budgetLeft',
  });

export const guardSchema = z.strictObject({
  confirm: z
    .boolean()
    .default(false)
    .describe('gameday run must be told --confirm with the name of the drill'),
  hours: text
    .regex(/^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/, {
      error: 'expected such as 09:00-17:00',
    })
    .optional()
    .describe('of the day, in which all of a drill lies'),
  days: z
    .array(z.enum(weekdays, { error: `expected ${weekdays.join(', ')}` }))
    .min(1, { error: 'expected a day' })
    .optional(),
  timeZone: text
    .refine(isTimeZone, { error: 'expected a time zone such as Europe/Berlin' })
    .optional()
    .describe("of hours and days (default: the machine's)"),
  maxServices: z.int().min(1).optional().describe('that one scenario may strike'),
  maxWorkloads: z.int().min(1).optional().describe('that one scenario may strike'),
  maxPercent: z
    .number()
    .gt(0)
    .lte(100)
    .optional()
    .describe('of all workloads, that one scenario may strike'),
  production: production.optional().describe('asked before a drill, and before each of its faults'),
  incidents: z
    .array(text)
    .min(1, { error: 'expected a program' })
    .optional()
    .describe('a command that prints a line for each incident that is open'),
});

export type GuardSpec = z.output<typeof guardSchema>;

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}
