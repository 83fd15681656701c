/** Fields that several parts of a scenario share. Durations are nominal; the time scale converts them to real ones. */
import { hasUnseen } from '../../base/unseen.js';
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';

export const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, {
    error: 'expected a duration such as 90s, 5m or 1h30m',
  })
  .describe('a duration as Prometheus writes it, in production time: the time scale shortens it')
  .transform((text) => parseDurationMs(text) as number);

export const identifier = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, { error: 'expected lower case letters, digits and dashes' });

/** Text of one or more lines, without characters that move a terminal's cursor or reverse the reading direction. */
export const text = z
  .string({ error: 'expected a text' })
  .min(1, { error: 'expected some text' })
  .refine((value) => !hasUnseen(value), { error: 'expected a text without control characters' });

/** Labels of series: a real Prometheus does not start with any other name. */
export const labels = z
  .record(
    z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, {
      error: 'expected the name of a label: letters, digits and _',
    }),
    z.string(),
  )
  .default({});

/** The address of a load: a user name, password or query in it would be lost. */
export const loadAddress = z.string().regex(/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/, {
  error: 'expected http://host:port, without a name, a password or a query',
});

const clientMeasures = [
  'errorRatio',
  'errors',
  'requestsPerSecond',
  'p50Ms',
  'p95Ms',
  'p99Ms',
] as const;
export type ClientMeasure = (typeof clientMeasures)[number];

/** The source of a measurement: one of `client` and `promql`. */
export const what = {
  client: z
    .enum(clientMeasures, { error: `expected one of ${clientMeasures.join(', ')}` })
    .optional()
    .describe('as the load generator saw it'),
  route: z.string().optional().describe("one route of the client's profile; default: all"),
  promql: text.optional().describe('an instant query; the largest of its values counts'),
};

export const isOneOf = (value: { client?: unknown; promql?: unknown }): boolean =>
  (value.client === undefined) !== (value.promql === undefined);
