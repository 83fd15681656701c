/**
 * Firedrill's engine and Prometheus' over the same samples: range queries in turn, each engine's own evaluation time
 * (for Prometheus its statistics' `evalTotalTime`, for firedrill the call). Writes results/promql.md.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../base/random.js';
import { asset } from '../base/paths.js';
import { evaluateRange, MemoryStore, parse } from '../slo/promql/index.js';
import { History, HistoryServer } from './slo-prometheus.js';
import { median } from './median.js';

const startMs = 1_700_000_000_000 - (1_700_000_000_000 % 3_600_000);
const hours = 12;
const intervalMs = 15_000;
const stepMs = 60_000;
const runs = 5;

const queries = [
  'level',
  'rate(hits_total[5m])',
  'sum by (job) (rate(hits_total[5m]))',
  'sum(rate(hits_total{code=~"5.."}[5m])) / sum(rate(hits_total[5m]))',
  'increase(hits_total[1h])',
  'histogram_quantile(0.99, sum by (le) (rate(took_bucket[5m])))',
  'max_over_time(level[1h])',
  'avg_over_time(level[1h])',
  'sum_over_time(level[6h])',
  'count_over_time(level[1h] offset 10m)',
  'stddev_over_time(level[30m])',
  'quantile_over_time(0.9, level[30m])',
  'predict_linear(level[1h], 3600)',
  'changes(level[1h])',
  'level > bool 0.5',
  'level * on (job, pod) group_left () sum by (job, pod) (level)',
  'topk(5, level)',
  'quantile by (job) (0.9, level)',
  'hits_total and on (job, pod) (level > 0.5)',
  'max_over_time(sum by (job) (rate(hits_total[5m]))[30m:1m])',
  'label_replace(abs(level), "place", "$1", "pod", "(.).*")',
  'level @ end() - level offset 1h',
];

function load(): { history: History; store: MemoryStore; samples: number; series: number } {
  const random = seededRandom(7);
  const history = new History();
  const store = new MemoryStore();
  const rows: { text: string; append: (timeMs: number) => number }[] = [];
  const add = (labels: Record<string, string>, next: () => number): void => {
    const series = store.series(labels);
    const { __name__: name, ...rest } = labels;
    const inner = Object.entries(rest).map(([n, v]) => `${n}="${v}"`);
    rows.push({
      text: `${name as string}{${inner.join(',')}}`,
      append(timeMs) {
        const value = next();
        series.append(timeMs, value);
        return value;
      },
    });
  };
  const counter = (): (() => number) => {
    let count = 0;
    return () => {
      if (random.next() < 0.0005) count = 0;
      return (count += random.below(40));
    };
  };
  for (let job = 0; job < 5; job++) {
    for (let pod = 0; pod < 20; pod++) {
      const place = { job: `job-${job}`, pod: `pod-${pod}` };
      add({ __name__: 'level', ...place }, () => random.next());
      for (const code of ['200', '500']) add({ __name__: 'hits_total', code, ...place }, counter());
    }
    for (const le of ['0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '+Inf']) {
      add({ __name__: 'took_bucket', le, job: `job-${job}` }, counter());
    }
  }
  let samples = 0;
  for (let at = 0; at < hours * 3_600_000; at += intervalMs) {
    for (const row of rows) {
      history.add(row.text, row.append(startMs + at), startMs + at);
      samples++;
    }
  }
  history.seal();
  return { history, store, samples, series: rows.length };
}

async function theirMs(url: string, query: string, fromMs: number, toMs: number): Promise<number> {
  const body = new URLSearchParams({
    query,
    start: String(fromMs / 1000),
    end: String(toMs / 1000),
    step: String(stepMs / 1000),
    stats: 'all',
  });
  const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body });
  const answer = (await response.json()) as {
    error?: string;
    data?: { stats: { timings: { evalTotalTime: number } } };
  };
  if (!answer.data) throw new Error(`${answer.error} in ${query}`);
  return answer.data.stats.timings.evalTotalTime * 1000;
}

function ourMs(store: MemoryStore, query: string, fromMs: number, toMs: number): number {
  const expr = parse(query);
  const before = performance.now();
  evaluateRange(expr, store, fromMs, toMs, stepMs);
  return performance.now() - before;
}

async function main(): Promise<void> {
  const { history, store, samples, series } = load();
  const server = await HistoryServer.start(history);
  const rows: { query: string; ours: number; theirs: number }[] = [];
  try {
    const toMs = startMs + hours * 3_600_000 - 60_000;
    const fromMs = startMs + 30 * 60_000;
    for (const query of queries) {
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let run = 0; run <= runs; run++) {
        const [a, b] = [
          ourMs(store, query, fromMs, toMs),
          await theirMs(server.url, query, fromMs, toMs),
        ];
        // The first run warms both engines up.
        if (run > 0) {
          ours.push(a);
          theirs.push(b);
        }
      }
      rows.push({ query, ours: median(ours), theirs: median(theirs) });
      process.stderr.write(
        `${query}: ${median(ours).toFixed(1)} ms, Prometheus ${median(theirs).toFixed(1)} ms\n`,
      );
    }
  } finally {
    await server.stop();
    history.remove();
  }
  const ratios = rows.map((r) => r.ours / r.theirs);
  const geometric = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
  const lines = rows.map(({ query, ours, theirs }) => {
    const cells = [
      `\`${query.replaceAll('|', '\\|')}\``,
      `${ours.toFixed(1)} ms`,
      `${theirs.toFixed(1)} ms`,
    ];
    return `| ${[...cells, (ours / theirs).toFixed(2)].join(' | ')} |`;
  });
  const text = `# Range queries, beside Prometheus' engine

${series} series, ${samples} samples (one each ${intervalMs / 1000} s for ${hours} hours), queries at
${stepMs / 1000} s steps over ${hours} hours less 31 minutes. Medians of ${runs} runs in turn on the same machine
(${cpus().length} cores), after one to warm up; each engine's own time of evaluation: for Prometheus
${'`evalTotalTime`'} of its query statistics, for us the call. Prometheus reads compressed blocks, our store
holds columns of numbers.

| query | firedrill | Prometheus ${server.version} | ratio |
| --- | ---: | ---: | ---: |
${lines.join('\n')}

Geometric mean of the ratios: ${geometric.toFixed(2)}; the largest: ${Math.max(...ratios).toFixed(2)} (bar: 1.5).

Repeat with ${'`npm run bench:promql`'}.
`;
  writeFileSync(join(asset('bench/results'), 'promql.md'), text);
  process.stdout.write(text);
}

await main();
