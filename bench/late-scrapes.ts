/**
 * The events that three designs of counting steps lose on a real Prometheus with slow scrapes, at a thirtieth of real
 * time: the difference of a counter's last values, the same with both ends delayed, and the last recorded value (the
 * design in use). `--write` keeps the table.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../base/clock.js';
import { packageRoot } from '../base/paths.js';
import { seededRandom } from '../base/random.js';
import { compileSlos, readSloText, type RuleGroup, ruleFileText } from '../slo/index.js';
import { LatePrometheus } from './late-prometheus.js';
import { Pod, Pods, sumOf } from './late-targets.js';

/** Seconds that a scrape takes, of 30 between scrapes. */
const scrapeSeconds = [0, 2, 6, 10];
const podsOfEach = 40;
const scrapeMs = 1000;
const runMs = 20_000;

const counter = (d: number): string => `requests_total{job="web",instance=~"d${d}-.*"}`;

/** Rules of one design that only count, by instance. */
function designGroup(name: string, d: number, standBack: string): RuleGroup {
  const now = standBack === '' ? '' : ` offset ${standBack}`;
  const before = standBack === '' ? '1s' : `${1000 + Number.parseInt(standBack, 10)}ms`;
  const expr =
    `sum by (instance) (\n  last_over_time(${counter(d)}[10s]${now})\n` +
    `  - last_over_time(${counter(d)}[10s] offset ${before})\n  >= 0\n)`;
  const labels = { design: name, delay: String(d) };
  return {
    name: `${name}-${d}`,
    intervalMs: 1000,
    rules: [{ kind: 'record', record: 'bench:events:step', expr, labels }],
  };
}

const slos = readSloText(
  'bench.yaml',
  `apiVersion: firedrill.dev/v1
service: web
slos:
${scrapeSeconds
  .map(
    (d) =>
      `  - { name: d${d}, objective: 99, groupBy: { labels: [instance], max: 50 }, ` +
      `sli: { events: { bad: '${counter(d).replace('{', '{code="500",')}', total: '${counter(d)}' } } }`,
  )
  .join('\n')}
`,
);

const pods = new Pods(
  scrapeSeconds.flatMap((d) =>
    Array.from({ length: podsOfEach }, (_, i) => new Pod(`d${d}-${i}`, (d * 1000) / 30)),
  ),
);
const groups = [
  ...compileSlos(slos, { timeScale: 1 / 30 }),
  ...scrapeSeconds.flatMap((d) => [
    designGroup('difference', d, ''),
    designGroup('stand-back', d, '400ms'),
  ]),
];

interface Row {
  seconds: number;
  design: string;
  lost: number;
  /** Pods of which less than half of the events were counted. */
  blind: number;
}

pods.freeze();
const random = seededRandom(1);
await pods.listen(() => random.next());
const prometheus = await LatePrometheus.start({
  rules: ruleFileText(groups),
  scrapeMs,
  scrapeConfig: pods.scrapeConfig(),
});
const rows: Row[] = [];
try {
  await prometheus.until(`count(requests_total{code="200"}) == ${pods.pods.length}`, 60_000);
  await sleep(3000);
  for (const pod of pods.pods) pod.frozen = false;
  await sleep(runMs);
  pods.freeze();
  await sleep(4000);
  const designs = {
    'difference (as it was)': (d: number) => `bench:events:step{design="difference",delay="${d}"}`,
    'both ends stand back 12 s': (d: number) =>
      `bench:events:step{design="stand-back",delay="${d}"}`,
    'what was recorded last (ours)': (d: number) => `slo:events_total:increase30s{slo="web-d${d}"}`,
  };
  for (const seconds of scrapeSeconds) {
    const own = pods.pods.filter((p) => p.name.startsWith(`d${seconds}-`));
    const truth = sumOf(own, (p) => p.told.total);
    for (const [design, series] of Object.entries(designs)) {
      const query = `sum by (instance) (sum_over_time(${series(seconds)}[2m]))`;
      const counted = await prometheus.client.query(query, Date.now());
      const of = (pod: Pod): number =>
        counted.find((s) => s.labels.instance === pod.name)?.value ?? 0;
      rows.push({
        seconds,
        design,
        lost: 1 - sumOf(own, of) / truth,
        blind: own.filter((p) => of(p) < p.told.total / 2).length,
      });
    }
  }
} finally {
  pods.close();
  await prometheus.stop();
}

const text = `# What rules count where scrapes take long

${podsOfEach} pods for each duration of a scrape, at the phases that Prometheus gives them; scrapes and steps every
30 s, all of it at a thirtieth of its time (a scrape of 6 s takes 200 ms, a step 1 s). ${runMs / 1000} steps. Events
happen only while they are scraped, so that each is in an answer; the pods were at rest before and after, so that every
design could see all of them.

| a scrape takes | design | events lost | pods of which most events are lost |
| ---: | --- | ---: | ---: |
${rows
  .map(
    (r) =>
      `| ${r.seconds} s | ${r.design} | ${(r.lost * 100).toFixed(2)}% | ${r.blind} of ${podsOfEach} |`,
  )
  .join('\n')}

Standing back costs as much detection time as it stands back, and loses what comes later still (remote write that
tries again, evaluations that are left out, a Prometheus that was down); what was recorded last loses none of these
(\`test/slo/every-event.test.ts\`) and costs one recorded series for each raw series. Repeat
with \`npm run bench:late\`.
`;
process.stdout.write(text);
if (process.argv.includes('--write')) {
  writeFileSync(join(packageRoot, 'bench/results/late-scrapes.md'), text);
}
