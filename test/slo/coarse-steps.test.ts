/** Coarse steps hold each base step once, whichever of their evaluations Prometheus leaves out. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../base/random.js';
import { compileSlo, readSloText } from '../../slo/index.js';
import { evaluateInstant, MemoryStore, parse } from '../../slo/promql/index.js';

const slo = readSloText(
  'coarse.yaml',
  `apiVersion: firedrill.dev/v1
service: web
slos: [{ name: all, objective: 99, sli: { events: { bad: b, total: t } } }]
`,
)[0]!;
const rule = compileSlo(slo)
  .flatMap((g) => g.rules)
  .find((r) => r.kind === 'record' && r.record === 'slo:events_total:increase4m')!;
const expr = parse(rule.expr);
const stepMs = 30_000;
const coarseMs = 240_000;

/**
 * Sums of base and coarse steps over 100 evaluations of the coarse group. Each base step holds another number of events
 * and is committed up to 20 s late; `leftOut` says which evaluations are not made.
 */
function counted(phaseMs: number, leftOut: (evaluation: number) => boolean): [number, number] {
  const store = new MemoryStore();
  const series = (name: string) => store.series({ __name__: name, slo: slo.id, service: 'web' });
  const fine = series('slo:events_total:increase30s');
  const coarse = series('slo:events_total:increase4m');
  const random = seededRandom(phaseMs + 1);
  let [steps, sum, next] = [0, 0, stepMs];
  let late = 0;
  for (let evaluation = 1; evaluation <= 100; evaluation++) {
    const nowMs = evaluation * coarseMs + phaseMs;
    // Only what is committed by now can be read.
    for (; next + late <= nowMs; next += stepMs, late = 20_000 * random.next()) {
      const events = Math.round(100 * random.next());
      fine.append(next, events);
      if (next <= 100 * coarseMs + phaseMs - stepMs) steps += events;
    }
    if (evaluation < 100 && leftOut(evaluation)) continue;
    const { value } = evaluateInstant(expr, store, nowMs);
    const step = value.type === 'vector' ? (value.samples[0]?.value ?? 0) : NaN;
    coarse.append(nowMs, step as number);
    sum += step as number;
  }
  return [steps, sum];
}

test.each([
  ['none', () => false],
  ['every second', (n: number) => n % 2 === 0],
  ['two of three', (n: number) => n % 3 !== 0],
  ['three of four', (n: number) => n % 4 !== 0],
] as const)('with %s left out', (_, leftOut) => {
  // A base step exactly in the millisecond that ranges leave out (a phase of 29,999 ms) would be lost on Prometheus 3.
  for (const phaseMs of [0, 1, 4999, 15_000, 29_998]) {
    const [steps, sum] = counted(phaseMs, leftOut);
    expect(sum).toBe(steps);
  }
});

test('with some left out at random', () => {
  const random = seededRandom(13);
  for (let run = 0; run < 20; run++) {
    let inARow = 0;
    const leftOut = (): boolean => {
      inARow = random.next() < 0.5 && inARow < 3 ? inARow + 1 : 0;
      return inARow > 0;
    };
    const [steps, sum] = counted(Math.floor(30_000 * random.next()), leftOut);
    expect(sum).toBe(steps);
  }
});

test('four in a row are too many: the oldest is lost, and nothing is counted twice', () => {
  const [steps, sum] = counted(7000, (n) => n > 50 && n < 55);
  expect(sum).toBeLessThan(steps);
  expect(sum).toBeGreaterThan(steps * 0.97);
});
