/** Times whose events do not count against a budget: maintenance and mistakes, and drills, which are booked apart. */
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { checkYaml, readYaml } from '../../base/yaml.js';
import { readTimeMs } from '../../base/time-text.js';

export interface Correction {
  startMs: number;
  endMs: number;
  kind: 'excluded' | 'drill';
  reason: string;
}

/** A correction with the events that it takes out of the budget. */
export interface Corrected extends Correction {
  bad: number;
  total: number;
}

const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/)
  .refine((text) => !Number.isNaN(readTimeMs(text)));
const time = z.unknown().transform((value, context) => {
  if (instant.safeParse(value).success) return readTimeMs(value as string);
  const message = 'expected a time with its zone, such as 2026-05-01T12:00:00Z';
  context.addIssue({ code: 'custom', message });
  return NaN;
});

const schema = z.strictObject({
  corrections: z.array(
    z.strictObject({
      from: time,
      to: time,
      slos: z.array(z.string()).min(1).optional(),
      kind: z.enum(['excluded', 'drill']).optional(),
      reason: z.string({ error: 'expected the reason, for those who read the budget' }).min(1),
    }),
  ),
});

/** Reads a file of corrections: from the id of an SLO to its corrections, by time. Two at one time are refused. */
export function readCorrections(file: string, known: readonly string[]): Map<string, Correction[]> {
  const bySlo = new Map<string, Correction[]>(known.map((id) => [id, []]));
  for (const document of readYaml(file)) {
    checkYaml(document, schema).corrections.forEach((one, i) => {
      const path = ['corrections', i];
      const refuse = (field: string, message: string, expected: string): never => {
        throw new UserError({ place: document.placeOf([...path, field]), message, expected });
      };
      if (one.to <= one.from) refuse('to', 'the correction ends before it begins', 'to after from');
      for (const id of one.slos ?? known) {
        const all = bySlo.get(id) ?? refuse('slos', `no SLO has the id '${id}'`, known.join(', '));
        if (all.some((other) => other.startMs < one.to && one.from < other.endMs)) {
          refuse('from', `another correction of ${id} is at this time`, 'each time once');
        }
        const { from: startMs, to: endMs, kind = 'excluded', reason } = one;
        all.push({ startMs, endMs, kind, reason });
      }
    });
  }
  for (const all of bySlo.values()) all.sort((a, b) => a.startMs - b.startMs);
  return bySlo;
}
