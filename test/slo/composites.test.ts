/** SLOs that are made of others: counts, gaps, arithmetic, mistakes, and which of their alerts is sent. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileRouting, configText } from '../../alerts/routing/compile.js';
import { readRoutingText } from '../../alerts/routing/declaration.js';
import { decide } from '../../alerts/routing/evaluate.js';
import { checkConfig, routeTests } from '../../alerts/routing/run.js';
import { UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { seededRandom } from '../../base/random.js';
import { compileSlo, readSloText, type Slo, theoryOf } from '../../slo/index.js';
import { evaluateInstant, MemoryStore, parse } from '../../slo/promql/index.js';
import { explain, explanationText } from '../../slo/rules/explain.js';
import { reachOf } from '../../slo/rules/reach.js';
import { stepExprsOf } from '../../slo/rules/step-exprs.js';
import { exportSlos } from '../../slo/spec/export.js';
import { testWith } from '../tools.js';

const parts = `apiVersion: firedrill.dev/v1
service: shop
owner: team-shop
slos:
  - { name: cart, objective: 99.9, sli: { events: { bad: b1, total: t1 } } }
  - { name: coupon, objective: 99.5, sli: { events: { bad: b2, total: t2 } } }
  - { name: pay, objective: 99.9, sli: { events: { bad: b3, total: t3 } } }
`;
const withSlo = (name: string, sli: string, more = ''): string =>
  `${parts}  - { name: ${name}, objective: 99.5, sli: { ${sli} }${more} }\n`;
const chainOf = '[shop-cart, { slo: shop-coupon, percent: 10 }, shop-pay]';
const read = (text: string): Slo[] => readSloText('x', text);
const last = (text: string): Slo => read(text).at(-1) as Slo;

const stepMs = 30_000;
const sideNames = { bad: 'slo:events_bad:increase30s', total: 'slo:events_total:increase30s' };
const rulesOf = (slo: Slo) =>
  compileSlo(slo)
    .flatMap((g) => g.rules)
    .flatMap((r) => (r.kind === 'record' ? [r] : []))
    .filter((r) => Object.values(sideNames).includes(r.record))
    .map((r) => ({ name: r.record, expr: parse(r.expr) }));

type Events = Record<string, { bad: number; total: number }>;

/**
 * Evaluates the rules of a composite over steps of its parts. `leftOut` says which evaluations of the composite
 * Prometheus does not make, `late` which of a part (its next one then holds both), and `phaseOf` when a part's are.
 */
function counted(
  slo: Slo,
  steps: readonly Events[],
  leftOut: (evaluation: number) => boolean = () => false,
  late: (part: string, step: number) => boolean = () => false,
  phaseOf: (part: string) => number = () => 3000,
): { bad: number; total: number } {
  const store = new MemoryStore();
  const series = (id: string, name: string) =>
    store.series({ __name__: name, slo: id, service: 'shop' });
  const rules = rulesOf(slo);
  const owed: Events = {};
  const sum = { bad: 0, total: 0 };
  for (let i = 1; i <= steps.length + 5; i++) {
    for (const [part, events] of Object.entries(steps[i - 1] ?? {})) {
      const before = owed[part] ?? { bad: 0, total: 0 };
      owed[part] = { bad: before.bad + events.bad, total: before.total + events.total };
      if (late(part, i)) continue;
      for (const side of ['total', 'bad'] as const) {
        series(part, sideNames[side]).append(i * stepMs + phaseOf(part), owed[part]![side]);
      }
      delete owed[part];
    }
    if (leftOut(i)) continue;
    const nowMs = i * stepMs + 9000;
    for (const { name, expr } of rules) {
      const { value } = evaluateInstant(expr, store, nowMs);
      const sample = value.type === 'vector' ? value.samples[0] : undefined;
      if (sample === undefined) continue;
      series(slo.id, name).append(nowMs, sample.value);
      if (name === sideNames.total) sum.total += sample.value;
      else sum.bad += sample.value;
    }
  }
  return sum;
}

/** A journey goes on to the next part where it did not fail; one in ten needs the coupon. */
function journeys(seed: number, count: number): { steps: Events[]; bad: number; total: number } {
  const random = seededRandom(seed);
  const all = { bad: 0, total: 0 };
  const steps = Array.from({ length: count }, () => {
    const events = { 'shop-cart': { bad: 0, total: 0 }, 'shop-pay': { bad: 0, total: 0 } };
    const n = 20 + random.below(80);
    for (let j = 0; j < n; j++) {
      let failed = false;
      for (const part of ['shop-cart', 'shop-pay'] as const) {
        if (failed) break;
        events[part].total++;
        failed = random.next() < 0.1;
        if (failed) events[part].bad++;
      }
      all.total++;
      if (failed) all.bad++;
    }
    return events;
  });
  return { steps, ...all };
}

describe('a chain', () => {
  const chain = last(withSlo('journey', 'chain: [shop-cart, shop-pay]'));

  test('counts exactly the journeys that failed somewhere', () => {
    const { steps, bad, total } = journeys(1, 60);
    const sum = counted(chain, steps);
    expect(sum.total).toBe(total);
    expect(sum.bad).toBeCloseTo(bad, 6);
  });

  test('of parts that are evaluated at other moments is close to that', () => {
    const { steps, bad, total } = journeys(1, 150);
    const apart = (part: string): number => (part === 'shop-cart' ? 3000 : 17_000);
    const sum = counted(chain, steps, undefined, undefined, apart);
    expect(sum.total).toBe(total);
    expect(Math.abs(sum.bad / bad - 1)).toBeLessThan(0.03);
  });

  test.each([1, 2, 3])('counts each step once with %i evaluations left out', (gap) => {
    const steady = { 'shop-cart': { bad: 1, total: 10 }, 'shop-pay': { bad: 3, total: 9 } };
    const steps = Array.from({ length: 60 }, () => steady);
    const sum = counted(chain, steps, (i) => i % 7 >= 1 && i % 7 <= gap);
    expect(sum.total).toBe(600);
    expect(sum.bad).toBeCloseTo(60 * 4, 6);
  });

  test('waits for a part that is late, and then counts all of them', () => {
    const steady = { 'shop-cart': { bad: 1, total: 10 }, 'shop-pay': { bad: 3, total: 9 } };
    const steps = Array.from({ length: 60 }, () => steady);
    const late = (part: string, step: number) => part === 'shop-pay' && step % 5 < 2 && step < 60;
    const sum = counted(chain, steps, undefined, late);
    expect(sum.total).toBe(600);
    expect(sum.bad).toBeCloseTo(240, 6);
  });

  test('of which a part has no data has none', () => {
    const sum = counted(chain, [{ 'shop-cart': { bad: 0, total: 10 } }]);
    expect(sum).toEqual({ bad: 0, total: 0 });
    const coupon = last(withSlo('journey', `chain: ${chainOf}`));
    const { steps } = journeys(2, 5);
    expect(counted(coupon, steps)).toEqual({ bad: 0, total: 0 });
  });

  test('weighs a part by the share of events that need it', () => {
    const coupon = last(withSlo('journey', `chain: ${chainOf}`));
    const steps = Array.from({ length: 10 }, () => ({
      'shop-cart': { bad: 0, total: 100 },
      'shop-coupon': { bad: 5, total: 10 },
      // Nobody paid: a part without events has not failed.
      'shop-pay': { bad: 0, total: 0 },
    }));
    const sum = counted(coupon, steps);
    expect(sum.total).toBe(1000);
    expect(sum.bad).toBeCloseTo(50, 6);
  });

  test('never counts more bad events than there are, even if a part does', () => {
    const steps = [{ 'shop-cart': { bad: 0, total: 10 }, 'shop-pay': { bad: 9, total: 3 } }];
    expect(counted(chain, steps)).toEqual({ bad: 10, total: 10 });
  });
});

test('a fallback fails where every part failed, counted at the first', () => {
  const fallback = last(withSlo('either', 'fallback: [shop-cart, shop-pay]'));
  // The second part is only called for the events that failed in the first.
  const steps = [
    { 'shop-cart': { bad: 4, total: 10 }, 'shop-pay': { bad: 1, total: 4 } },
    { 'shop-cart': { bad: 0, total: 10 }, 'shop-pay': { bad: 0, total: 0 } },
    { 'shop-cart': { bad: 10, total: 10 }, 'shop-pay': { bad: 10, total: 10 } },
  ];
  const sum = counted(fallback, steps);
  expect(sum.total).toBe(30);
  expect(sum.bad).toBeCloseTo(11, 6);
});

test('a sum weighs events, and counts the steps of an evaluation that was left out', () => {
  const text = 'composite: [{ slo: shop-cart, weight: 3 }, { slo: shop-pay }]';
  const steady = { 'shop-cart': { bad: 1, total: 10 }, 'shop-pay': { bad: 2, total: 8 } };
  const steps = Array.from({ length: 20 }, () => steady);
  const sum = counted(last(withSlo('all', text)), steps, (i) => i % 3 === 0);
  expect(sum).toEqual({ bad: 20 * (3 + 2), total: 20 * (30 + 8) });
});

test('groups are judged apart', () => {
  const grouped = parts.replaceAll('} } }', '} }, groupBy: { labels: [region] } }');
  const text = 'sli: { chain: [shop-cart, shop-pay] }, groupBy: { labels: [region] }';
  const slo = last(`${grouped}  - { name: journey, objective: 99, ${text} }\n`);
  const store = new MemoryStore();
  for (const [part, bad] of [
    ['shop-cart', 0],
    ['shop-pay', 5],
  ] as const) {
    for (const [region, factor] of [
      ['eu', 1],
      ['us', 2],
    ] as const) {
      const labels = { slo: part, service: 'shop', region };
      store.series({ __name__: sideNames.total, ...labels }).append(stepMs, 10 * factor);
      store.series({ __name__: sideNames.bad, ...labels }).append(stepMs, bad);
    }
  }
  const [, bad] = rulesOf(slo);
  const { value } = evaluateInstant(bad!.expr, store, 2 * stepMs);
  const samples = value.type === 'vector' ? value.samples : [];
  expect(samples.map((s) => [s.labels.get('region'), s.value])).toEqual([
    ['eu', 5],
    ['us', 5],
  ]);
});

test('history is counted from the counters of the parts', () => {
  const slos = read(withSlo('journey', 'chain: [shop-cart, shop-pay]'));
  const all = new Map(slos.map((s) => [s.id, s]));
  const { bad, total } = stepExprsOf(slos.at(-1) as Slo, all, {});
  expect(total).not.toContain('slo:');
  expect(bad).not.toContain('slo:');
  for (const counter of ['b1', 't1', 'b3', 't3']) expect(bad).toContain(counter);
  expect(bad).not.toContain('t2');
});

test('each level is a step later, and the detection time says so', () => {
  const nested = `${withSlo('either', 'fallback: [shop-cart, shop-pay]')}  - name: journey
    objective: 99.5
    sli: { chain: [shop-either, shop-coupon] }
`;
  const slos = read(nested);
  const paged = slos.map(
    (slo) =>
      theoryOf({ ...slo, objective: 99.5 }, 'page', { baseline: 0, errorRatio: 1 }).detection!
        .exactMs,
  );
  const [cart, , , either, journey] = paged as [number, number, number, number, number];
  expect(either - cart).toBe(stepMs);
  expect(journey - cart).toBe(2 * stepMs);
});

describe('the arithmetic of objectives', () => {
  const reach = (sli: string, objective = 99.5) => {
    const slos = read(withSlo('it', sli)).map((s) => (s.name === 'it' ? { ...s, objective } : s));
    return reachOf(slos.at(-1) as Slo, new Map(slos.map((s) => [s.id, s])));
  };

  test('of a chain is a product', () => {
    expect(reach(`chain: ${chainOf}`)).toEqual({
      percent: expect.closeTo(99.9 * 0.9995 * 0.999, 9),
      text: '99.9% * (100% - 10% * 0.5%) * 99.9% = 99.7502%',
    });
    expect(reach(`chain: ${chainOf}`, 99.9)?.supported).toBe(99.7);
    expect(reach('chain: [shop-cart, shop-pay]', 99.9)?.supported).toBe(99.8);
  });
  test('of a fallback is a product of budgets', () => {
    expect(reach('fallback: [shop-cart, shop-coupon]', 99.9999)).toEqual({
      percent: expect.closeTo(99.9995, 9),
      text: '100% - 0.1% * 0.5% = 99.9995% if they fail independently, 99.9% if together',
      supported: 99.9995,
    });
  });
  test('of a sum is between those of its parts', () => {
    const found = reach('composite: [{ slo: shop-cart }, { slo: shop-coupon }]', 99.95);
    expect(found?.text).toBe('from 99.5% to 99.9%, by the share of each');
    expect(found?.supported).toBe(99.9);
  });

  test('is told by explain and validate, with the objective that the parts support', () => {
    const text = withSlo('journey', `chain: ${chainOf}`).replace(
      /objective: 99.5, sli: { chain/,
      'objective: 99.9, sli: { chain',
    );
    const slos = read(text);
    const said = explanationText(explain(slos.at(-1) as Slo, {}, undefined, slos));
    expect(said).toContain(
      'an event of shop-cart fails if it fails in any of shop-cart, shop-coupon (needed by 10%), shop-pay',
    );
    expect(said).toContain(
      'if each part just meets its objective: 99.9% * (100% - 10% * 0.5%) * 99.9% = 99.7502%',
    );
    expect(said).toContain('did you mean 99.7?');
    expect(explain(slos[0] as Slo, {}, undefined, slos).reach).toBeUndefined();
    const run = spawnSync(process.execPath, [program('cli'), 'slo', 'validate', '-'], {
      input: text,
      encoding: 'utf8',
    });
    expect(run.status).toBe(0);
    expect(run.stdout).toBe('4 valid SLOs\n');
    expect(run.stderr).toMatch(/^note: <stdin>:8:5: .*did you mean 99\.7\?\n$/);
  });
});

test.each([
  [
    'an unknown part',
    'chain: [shop-cart, shop-pya]',
    /x:8:\d+: .*shop-pya, which.*; expected shop-pay/,
  ],
  ['a part twice', 'chain: [shop-cart, shop-cart]', /composed of shop-cart twice/],
  [
    'itself',
    'chain: [shop-cart, shop-it]',
    /x:8:\d+: shop-it is composed of itself: shop-it, shop-it/,
  ],
  [
    'a first part of some',
    'chain: [{ slo: shop-cart, percent: 5 }, shop-pay]',
    /only some events need/,
  ],
  ['a chain of one', 'chain: [shop-cart]', /at least two/],
  ['a fallback of one', 'fallback: [shop-cart]', /at least two/],
  ['more than all', 'chain: [shop-cart, { slo: shop-pay, percent: 101 }]', /x:8:\d+/],
])('%s is refused with its place', (_, sli, message) => {
  expect(() => read(withSlo('it', sli))).toThrow(UserError);
  expect(() => read(withSlo('it', sli))).toThrow(message);
});

test('other mistakes of composites are refused with the place of the part', () => {
  const week = withSlo('it', 'chain: [shop-cart, shop-pay]', ', window: 7d');
  expect(() => read(week)).toThrow(
    /x:8:\d+: shop-it is composed of shop-cart, whose window is 30d; expected the same window for both, 7d/,
  );
  const grouped = withSlo('it', 'chain: [shop-cart, shop-pay]', ', groupBy: { labels: [region] }');
  expect(() => read(grouped)).toThrow(/grouped by region, and its part shop-cart is not/);
  const circle = `${withSlo('a', 'chain: [shop-cart, shop-b]')}  - name: b
    objective: 99
    sli: { fallback: [shop-pay, shop-a] }
`;
  let said = '';
  try {
    read(circle);
  } catch (error) {
    said = (error as Error).message;
  }
  // A circle is one mistake.
  expect(said.split('\n')).toHaveLength(1);
  expect(said).toMatch(/^x:8:\d+: shop-a is composed of itself: shop-a, shop-b, shop-a; expected/);
});

test('our format is written as it was read', () => {
  for (const sli of [
    `chain: ${chainOf}`,
    'fallback: [shop-cart, shop-pay]',
    'composite: [{ slo: shop-cart, weight: 3 }, { slo: shop-pay }]',
  ]) {
    const slos = read(withSlo('it', sli));
    const again = readSloText('y', exportSlos(slos, 'firedrill'));
    const plain = ({ sli }: Slo) =>
      sli.kind === 'composite' ? { ...sli, parts: sli.parts.map((p) => [p.slo, p.weight]) } : sli;
    expect(again.map(plain)).toEqual(slos.map(plain));
  }
  expect(() =>
    exportSlos(read(withSlo('it', 'fallback: [shop-cart, shop-pay]')), 'openslo'),
  ).toThrow(/shop-it/);
});

describe('one page for one cause', () => {
  const slos = read(`${withSlo('either', 'fallback: [shop-cart, shop-pay]')}  - name: journey
    objective: 99.5
    sli: { chain: [shop-either, shop-coupon] }
`);
  const declaration = `apiVersion: firedrill.dev/v1
kind: AlertRouting
default: shop
severities: { page: {}, ticket: {} }
teams:
  - name: shop
    owns: [team-shop]
    notify: { page: [{ webhook: { url: 'http://127.0.0.1:1' } }], ticket: [{ webhook: { url: 'http://127.0.0.1:1' } }] }
tests:
  - name: the part is told
    labels: { alertname: ShopJourney, slo: shop-journey, severity: page, owner: team-shop, service: shop }
    firing: [{ alertname: ShopCoupon, slo: shop-coupon, severity: page, owner: team-shop, service: shop }]
    expect: []
`;
  const routing = readRoutingText('r.yaml', declaration);
  const config = compileRouting(routing, slos);
  const page = (name: string, slo: string, severity = 'page') => ({
    alertname: name,
    slo,
    severity,
    owner: 'team-shop',
    service: 'shop',
  });
  const told = (alert: Record<string, string>, ...firing: Record<string, string>[]): boolean =>
    decide(config, alert, { atMs: 0, firing, silences: [] }).told.length > 0;

  test("a part's page inhibits its chain's alerts, and not the reverse", () => {
    const [journey, coupon] = [
      page('ShopJourney', 'shop-journey'),
      page('ShopCoupon', 'shop-coupon'),
    ];
    expect(told(journey)).toBe(true);
    expect(told(journey, coupon)).toBe(false);
    expect(told(coupon, journey)).toBe(true);
    // A ticket of a part explains no page, and the page of an SLO in no part of it neither.
    expect(told(journey, page('ShopCoupon', 'shop-coupon', 'ticket'))).toBe(true);
    expect(told(journey, page('ShopCart', 'shop-cart'))).toBe(true);
  });

  test("a fallback's page inhibits those of its parts", () => {
    const [either, cart] = [page('ShopEither', 'shop-either'), page('ShopCart', 'shop-cart')];
    expect(told(cart, either)).toBe(false);
    expect(told(either, cart)).toBe(true);
  });

  test('missing data is told for the part that lacks it', () => {
    const part = page('ShopCouponNoData', 'shop-coupon', 'ticket');
    const whole = page('ShopJourneyNoData', 'shop-journey', 'ticket');
    expect(told(whole, part)).toBe(false);
    expect(told(part, whole)).toBe(true);
    expect(told(whole, page('ShopCoupon', 'shop-coupon'))).toBe(true);
  });

  test('tests of a declaration know the SLOs', () => {
    expect(routeTests(routing, 0, slos).map((t) => t.passed)).toEqual([true]);
    expect(routeTests(routing, 0).map((t) => t.passed)).toEqual([false]);
  });

  testWith('amtool')('amtool accepts the rules, and the command writes them', async () => {
    await checkConfig(configText(config));
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-composites-'));
    try {
      const [slo, routes] = [join(folder, 'slo.yaml'), join(folder, 'routing.yaml')];
      writeFileSync(slo, withSlo('journey', `chain: ${chainOf}`));
      writeFileSync(routes, declaration);
      const text = execFileSync(
        process.execPath,
        [program('cli'), 'alerts', 'routes', 'generate', '-f', routes, '-i', slo, '-o', '-'],
        { encoding: 'utf8' },
      );
      expect(text).toContain('slo=~"shop-cart|shop-coupon|shop-pay"');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test('every kind of composite takes the bare id of a part', () => {
  for (const kind of ['composite', 'chain', 'fallback']) {
    const { sli } = last(withSlo('all', `${kind}: [shop-cart, shop-pay]`));
    expect(sli).toMatchObject({ parts: [{ slo: 'shop-cart' }, { slo: 'shop-pay', weight: 1 }] });
  }
});
