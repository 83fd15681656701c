/**
 * The cost of firedrill's rules for Prometheus beside rules of Sloth's shape, and the accuracy of both: samples read
 * by Prometheus's own query statistics for one SLO over 50 raw series, and the 30-day ratio against the true events,
 * on traffic that varies tenfold between day and night with the errors at night. Every figure comes from a real
 * Prometheus.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../base/make-folder.js';
import { packageRoot } from '../base/paths.js';
import { seededRandom } from '../base/random.js';
import { compileSlo, readSloText, type RuleGroup, type Slo } from '../slo/index.js';
import { parse, walk } from '../slo/promql/index.js';
import type { Duration } from '../slo/promql/syntax/ast.js';
import { planOf } from '../slo/rules/plan.js';
import { coarseRules, stepRules } from '../slo/rules/steps.js';
import { peerRules } from './slo-peer.js';
import { History, HistoryServer } from './slo-prometheus.js';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const endMs = Date.UTC(2026, 5, 30);
const bad = 'requests_total{job="shop",code="500"}';
const total = 'requests_total{job="shop"}';

const slo = readSloText(
  'bench.yaml',
  `apiVersion: firedrill.dev/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli: {events: {bad: '${bad}', total: '${total}'}}
`,
)[0] as Slo;

const exprOf = (groups: RuleGroup[], record: string): string => {
  const rule = groups
    .flatMap((g) => g.rules)
    .find((r) => r.kind === 'record' && r.record === record);
  if (!rule) throw new Error(`no rule records ${record}`);
  return rule.expr;
};

/** The text inside each subquery, with its range and step. */
function subqueriesOf(expr: string): { text: string; rangeMs: number; stepMs: number }[] {
  const found: ReturnType<typeof subqueriesOf> = [];
  walk(parse(expr), (node) => {
    if (node.kind !== 'subquery') return;
    const ms = (d: Duration | undefined): number =>
      d?.kind === 'seconds' ? d.seconds * 1000 : NaN;
    const text = expr.slice(node.expr.from, node.expr.to);
    found.push({ text, rangeMs: ms(node.range), stepMs: ms(node.step) });
  });
  return found;
}

/** 25 pods with two series each: 50 raw series in the total, 25 of them errors. */
async function cost() {
  const history = new History();
  const label = '{slo="shop-availability",service="shop"}';
  const pods = Array.from({ length: 25 }, (_, i) => `job="shop",instance="pod-${i}"`);
  const counters = pods.flatMap((p) => [
    `requests_total{${p},code="200"}`,
    `requests_total{${p},code="500"}`,
  ]);
  for (let t = endMs - 3 * dayMs - 10 * minuteMs; t <= endMs; t += 15_000) {
    counters.forEach((series, i) => history.add(series, (t - endMs + 4 * dayMs) / 1000 + i, t));
  }
  for (let t = endMs - 20 * minuteMs; t < endMs; t += 30_000) {
    history.add('slo:counter:last{slo="shop-availability",slo_counter="time"}', t / 1000, t);
    for (const series of counters) {
      const last = (key: string): string =>
        series.replace(
          'requests_total{',
          `slo:counter:last{slo="shop-availability",slo_counter="${key}",`,
        );
      history.add(last('total'), (t - endMs + 4 * dayMs) / 1000, t);
      if (series.includes('500')) history.add(last('bad'), (t - endMs + 4 * dayMs) / 1000, t);
    }
  }
  for (let t = endMs - 30 * dayMs; t <= endMs; t += 30_000) {
    history.add('slo:sli_error:ratio_rate5m{sloth_id="bench",sloth_window="5m"}', 0.001, t);
    if (t < endMs - 7 * 3_600_000) continue;
    history.add(`slo:events_bad:increase30s${label}`, 1, t);
    history.add(`slo:events_total:increase30s${label}`, 1000, t);
  }
  for (let t = endMs - 30 * dayMs; t <= endMs; t += 240_000) {
    history.add(`slo:events_bad:increase4m${label}`, 8, t);
    history.add(`slo:events_total:increase4m${label}`, 8000, t);
  }
  for (const w of ['30m', '1h', '2h', '6h', '1d', '3d', '30d']) {
    history.add(`slo:sli_error:ratio_rate${w}{sloth_id="bench",sloth_window="${w}"}`, 0.001, endMs);
    history.add(`slo:sli_error:ratio_rate${w}${label}`, 0.001, endMs);
  }
  history.add(`slo:sli_error:ratio_rate5m${label}`, 0.001, endMs);
  history.add(`slo:period_burn_rate:ratio${label}`, 1, endMs);
  history.seal();
  const server = await HistoryServer.start(history);
  try {
    const read = async (exprs: string[]): Promise<number> => {
      let samples = 0;
      for (const expr of exprs) {
        samples += (await server.query(expr, endMs)).samples;
        // Prometheus's statistics leave out the samples that are read inside a subquery.
        for (const { text, rangeMs, stepMs } of subqueriesOf(expr)) {
          samples += (await server.range(text, endMs - rangeMs, endMs, stepMs)).samples;
        }
      }
      return samples;
    };
    const groups = compileSlo(slo);
    const exprs = (suffix: string): string[] =>
      groups.filter((g) => g.name.endsWith(suffix)).flatMap((g) => g.rules.map((r) => r.expr));
    const fine = await read(exprs('availability'));
    const coarse = await read(exprs('-long'));
    const peer = await read(peerRules(bad, total, 0.001, 30 * dayMs).map((r) => r.expr));
    return { fine, coarse, peer };
  } finally {
    await server.stop();
    history.remove();
  }
}

/** Ten times the traffic by day; errors of 1% by night, of 0.01% by day; pods that restart and are replaced. */
async function exactness() {
  const random = seededRandom(20260601);
  const history = new History();
  const startMs = endMs - 30 * dayMs;
  let events = 0;
  let errors = 0;
  let born = 0;
  const pods = Array.from({ length: 5 }, (_, i) => ({
    instance: `pod-${born++}`,
    good: 0,
    failed: 0,
    i,
  }));
  for (let t = startMs; t <= endMs; t += minuteMs) {
    const hour = (t % dayMs) / 3_600_000;
    const night = hour < 7 || hour >= 22;
    for (const pod of pods) {
      if (random.next() < 1 / (2 * 1440)) {
        // A deployment replaces the pod, or its process restarts under the same name.
        if (random.next() < 0.5) pod.instance = `pod-${born++}`;
        pod.good = 0;
        pod.failed = 0;
      }
      const requests = Math.round((night ? 120 : 1200) * (0.7 + 0.6 * random.next()));
      let failed = 0;
      for (let n = 0; n < requests; n++) if (random.next() < (night ? 0.01 : 0.0001)) failed++;
      pod.good += requests - failed;
      pod.failed += failed;
      if (t > startMs) {
        events += requests;
        errors += failed;
      }
      history.add(`requests_total{job="shop",instance="${pod.instance}",code="200"}`, pod.good, t);
      // As in exporters, the series of an error begins with the first error.
      if (pod.failed > 0) {
        history.add(
          `requests_total{job="shop",instance="${pod.instance}",code="500"}`,
          pod.failed,
          t,
        );
      }
    }
  }
  const rawSamples = history.seal();
  // The whole history exists already, so a counter's earlier value is read from it rather than recorded.
  const plan = planOf(slo, { stepMs: minuteMs });
  const steps = { name: 'steps', rules: stepRules(plan, 'history') };
  const coarse = { name: 'coarse', rules: coarseRules(plan, 'history') };
  const groups = [steps, coarse, ...compileSlo(slo, { stepMs: minuteMs })];
  const label = '{slo="shop-availability",service="shop"}';
  /** Evaluates a rule at each interval over the whole time, and stores the recorded values. */
  const record = async (name: string, expr: string, stepMs: number, as: string): Promise<void> => {
    const server = await HistoryServer.start(history);
    try {
      const from = startMs + stepMs;
      const answer = await server.range(expr, from, endMs, stepMs);
      for (const series of answer.result) {
        for (const [time, value] of series.values ?? []) {
          if (value !== 'NaN') history.add(`${name}${as}`, Number(value), time * 1000);
        }
      }
    } finally {
      await server.stop();
    }
  };
  const t1 = 'slo:events_total:increase1m';
  const b1 = 'slo:events_bad:increase1m';
  await record(t1, exprOf(groups, t1), minuteMs, label);
  history.seal();
  await record(b1, exprOf(groups, b1), minuteMs, label);
  history.seal();
  for (const name of ['slo:events_total:increase4m', 'slo:events_bad:increase4m']) {
    await record(name, exprOf(groups, name), 240_000, label);
  }
  const mean = peerRules(bad, total, 0.001, 30 * dayMs);
  const five = mean[0]?.expr as string;
  await record(
    'slo:sli_error:ratio_rate5m',
    five,
    minuteMs,
    '{sloth_id="bench",sloth_window="5m"}',
  );
  history.seal();
  const server = await HistoryServer.start(history);
  try {
    const value = async (expr: string): Promise<number> =>
      Number((await server.query(expr, endMs)).result[0]?.value?.[1]);
    const period = 'slo:sli_error:ratio_rate30d';
    const ours = await value(exprOf(groups, period));
    const averaged = await value(mean.find((r) => r.record === period)?.expr as string);
    return { truth: errors / events, ours, averaged, rawSamples, events };
  } finally {
    await server.stop();
    history.remove();
  }
}

const per = (x: number, digits = 4): string => `${(x * 100).toFixed(digits)}%`;
const costs = await cost();
const amortised = costs.fine + costs.coarse / 8;
const exact = await exactness();
const off = (x: number): number => Math.abs(x / exact.truth - 1);
const result = {
  samplesEveryRuleOnce: costs.fine + costs.coarse,
  samplesAn30sEvaluation: amortised,
  samplesOfPeer: costs.peer,
  costRatioEveryRuleOnce: (costs.fine + costs.coarse) / costs.peer,
  costRatio: amortised / costs.peer,
  truth: exact.truth,
  ours: exact.ours,
  oursOff: off(exact.ours),
  averageOfRatios: exact.averaged,
  averageOff: off(exact.averaged),
  events: exact.events,
};
const text = `# What SLO rules cost and how true they are

One SLO over 50 raw series scraped every 15 s; samples read by Prometheus's own query statistics
(\`stats=all\`), those inside subqueries added.

| rules | samples an evaluation | of Sloth-shaped |
| --- | ---: | ---: |
| Sloth-shaped, every 30 s | ${costs.peer} | 1 |
| ours, every rule once | ${result.samplesEveryRuleOnce} | ${result.costRatioEveryRuleOnce.toFixed(4)} |
| ours, by the 30 s (long windows every 4 min) | ${Math.round(amortised)} | ${result.costRatio.toFixed(4)} |

The bar is 0.02. The 30-day error ratio over ${exact.events} events, tenfold traffic by day, errors by night, pods that
restart and are replaced, error series that begin with the first error:

| | ratio | off the truth |
| --- | ---: | ---: |
| truth, from the events | ${per(exact.truth, 5)} | |
| ours | ${per(exact.ours, 5)} | ${per(off(exact.ours))} |
| average of 5 m ratios (Sloth-shaped) | ${per(exact.averaged, 5)} | ${per(off(exact.averaged), 1)} |

The bar is 0.1%. Repeat with \`npm run bench:slo-cost\`.
`;
const folder = join(packageRoot, 'bench/results');
makeFolder(folder);
writeFileSync(join(folder, 'slo-cost.md'), text);
writeFileSync(join(folder, 'slo-cost.json'), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(text);
