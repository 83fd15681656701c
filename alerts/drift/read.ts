/** Reads drift.yaml, which pairs a service's own counters with those of its callers. */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { inputName } from '../../base/input.js';
import { UserError } from '../../base/errors.js';
import { checkYaml, type Path, readYaml } from '../../base/yaml.js';
import { parseSelector, PromqlError } from '../../slo/promql/index.js';
import type { DriftFile, Events, Pair } from './model.js';

const text = z.string({ error: 'expected a text' }).min(1, { error: 'expected some text' });

const events = z.strictObject({
  bad: text.describe('a selector of a counter: errors_total{route="a"}'),
  total: text,
});

const seen = z.union(
  [
    z.literal('client'),
    events,
    z.strictObject({ mesh: text.describe('the destination: payment.retail') }),
  ],
  { error: 'expected client, { mesh: destination }, or { bad, total }' },
);

const driftSchema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1', { error: "expected 'firedrill.dev/v1'" }),
  kind: z.literal('Drift', { error: "expected 'Drift'" }),
  window: text
    .refine((value) => (parseDurationMs(value) ?? 0) >= 1000, { error: 'expected such as 5m' })
    .default('5m'),
  owner: text.optional().describe('the label owner of the alerts of --rules'),
  runbook: text.optional().describe('their runbook_url'),
  pairs: z
    .array(
      z.strictObject({
        route: text,
        service: text,
        says: events.describe('what the service counts itself'),
        seen: seen.default('client').describe("its callers' measure"),
        atMost: z.number().gt(0).lt(1).default(0.01),
      }),
    )
    .min(1, { error: 'expected a pair' }),
});

export function readDrift(file: string): DriftFile {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not a drift file`,
      expected: 'one YAML document',
    });
  }
  const value = checkYaml(document, driftSchema);
  const selector = (path: Path, source: string): void => {
    const problem = selectorProblem(source);
    if (problem === undefined) return;
    const place = document.placeOf(path);
    throw new UserError({
      place,
      message: problem,
      expected: 'a selector, such as errors_total{a="b"}',
    });
  };
  const pairs = value.pairs.map((pair, i): Pair => {
    for (const [name, source] of Object.entries(pair.says)) {
      selector(['pairs', i, 'says', name], source);
    }
    if (typeof pair.seen === 'object' && 'bad' in pair.seen) {
      for (const [name, source] of Object.entries(pair.seen)) {
        selector(['pairs', i, 'seen', name], source);
      }
    }
    return { ...pair, seen: seenBy(pair.seen, pair.route) };
  });
  const { owner, runbook } = value;
  return { windowMs: parseDurationMs(value.window) as number, pairs, owner, runbook };
}

function selectorProblem(source: string): string | undefined {
  try {
    // Neither an offset nor a range fits: the rules write a range behind it.
    parseSelector(source);
    return undefined;
  } catch (error) {
    if (error instanceof PromqlError) return error.message;
    throw error;
  }
}

function seenBy(given: z.output<typeof seen>, route: string): Events {
  if (given === 'client') {
    const total = `firedrill_client_requests_total{route=${JSON.stringify(route)}}`;
    return { bad: total.replace('}', ',outcome!="expected"}'), total };
  }
  if ('bad' in given) return given;
  const total = `response_total{direction="outbound",dst=${JSON.stringify(given.mesh)}}`;
  return { bad: total.replace('}', ',classification="failure"}'), total };
}
