/** Finds claims on client measurements that nothing can fulfil, or that always hold. */
import type { At, Path } from '../../base/yaml.js';
import { formatDurationMs } from '../../base/duration.js';
import type { ClientMeasure } from './fields.js';
import { longestOf } from './length.js';
import type { Scenario } from './schema.js';
import type { World } from './world.js';

interface Claim {
  client?: ClientMeasure | undefined;
  atMost?: number | undefined;
  atLeast?: number | undefined;
  above?: number | undefined;
  below?: number | undefined;
}

const bounds = ['atMost', 'atLeast', 'above', 'below'] as const;

/** Whether a bound always or never holds by the measure's range: a share is at most 1, and no measure is below 0. */
const decided: Record<
  (typeof bounds)[number],
  (value: number, max: number) => boolean | undefined
> = {
  atMost: (value, max) => (value < 0 ? false : value >= max ? true : undefined),
  atLeast: (value, max) => (value > max ? false : value <= 0 ? true : undefined),
  above: (value, max) => (value >= max ? false : value < 0 ? true : undefined),
  below: (value, max) => (value <= 0 ? false : value > max ? true : undefined),
};

type Placed = [Path, Claim & { client: ClientMeasure }];

const claimsIn = ({ hypothesis, checks, abort }: Scenario): Placed[] =>
  [
    ...hypothesis.measures.map((m, i): [Path, Claim] => [['hypothesis', 'measures', i], m]),
    ...checks.map((c, i): [Path, Claim] => [['checks', i], c]),
    ...abort.map((a, i): [Path, Claim] => [['abort', i], a]),
  ].filter((placed): placed is Placed => placed[1].client !== undefined);

/** Reports claims that always or never hold, and abort conditions that need longer than the whole scenario. */
export function boundProblems(scenario: Scenario, at: At): void {
  for (const [path, claim] of claimsIn(scenario)) {
    const isShare = claim.client === 'errorRatio';
    for (const bound of bounds) {
      const value = claim[bound];
      const holds = value === undefined ? undefined : decided[bound](value, isShare ? 1 : Infinity);
      if (holds === undefined) continue;
      const expected = isShare ? 'a share from 0 to below 1' : 'a number above 0';
      at([...path, bound], `this ${holds ? 'always' : 'never'} holds`, expected);
    }
  }
  const longest = longestOf(scenario);
  scenario.abort.forEach((condition, i) => {
    if (condition.for < longest) return;
    const message = 'the scenario is over before this has lasted so long';
    at(['abort', i, 'for'], message, `less than ${formatDurationMs(longest)}`);
  });
}

export function claimProblems(scenario: Scenario, { isClientUnseen }: World, at: At): void {
  if (isClientUnseen !== true) return;
  for (const [path] of claimsIn(scenario)) {
    at([...path, 'client'], 'load: existing: nobody measures what its clients see', 'promql');
  }
}
