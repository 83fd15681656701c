/**
 * Pages caused by chance alone, over a thousand years of a healthy service at each traffic, and the detection time of
 * an outage: the windows and the guard of the compiled rules, evaluated step by step over Poisson counts. The
 * backtest's evaluator, which agrees with promtool, also evaluates the first year of each traffic and must give the
 * same pages. Run by `npm run bench:false-pages`; `--years 10` for a quick look, which writes no table.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../base/paths.js';
import { readSloText, type Slo } from '../slo/index.js';
import { falsePagesAt } from '../slo/rules/false-pages.js';
import { interval95, pagesByChance, pagesOfFirstYear } from './chance-years.js';
import { outageDelays, waldEvents } from './chance-outages.js';

const flag = process.argv.indexOf('--years');
const years = flag < 0 ? 1000 : Number(process.argv[flag + 1]);

/** An SLO that accepts this many false pages a year; without a number, without a guard. */
function sloOf(objective: number, falsePagesPerYear?: number): Slo {
  const alerting =
    falsePagesPerYear === undefined ? '{}' : `{ falsePagesPerYear: ${falsePagesPerYear} }`;
  const text = `apiVersion: firedrill.dev/v1
service: a
owner: team
slos:
  - { name: b, objective: ${objective}, sli: { events: { bad: e_total, total: t_total } }, alerting: ${alerting} }
`;
  return readSloText('bench.yaml', text)[0] as Slo;
}

const perSecond = 3600;
const healthy: { perHour: number; objective: number; stated: number }[] = [
  ...[10, 20, 22, 50, 200, 1000, 5000, 10 * perSecond].map((perHour) => ({
    perHour,
    objective: 99.9,
    stated: 1,
  })),
  { perHour: 10_000 * perSecond, objective: 99.9, stated: 1 },
  { perHour: 200, objective: 99, stated: 1 },
  { perHour: 1000, objective: 99.9, stated: 0.1 },
  { perHour: 50, objective: 99.9, stated: 12 },
];

const rateText = (perHour: number): string =>
  perHour >= perSecond
    ? `${(perHour / perSecond).toLocaleString('en')} a second`
    : `${perHour} an hour`;
const number = (x: number): string => (x === 0 ? '0' : x >= 100 ? x.toFixed(0) : x.toPrecision(2));

/** A tenth of the years where arithmetic shows that chance cannot page, since a step costs as much there. */
const yearsAt = (perHour: number): number => (perHour >= 5000 ? years / 10 : years);

function healthyRow({ perHour, objective, stated }: (typeof healthy)[number]): string[] {
  const slo = sloOf(objective, stated);
  const played = yearsAt(perHour);
  const pages = pagesByChance(slo, perHour, played, 7);
  const first = pagesOfFirstYear(slo, perHour, 7);
  if (first.fast !== first.evaluated) {
    throw new Error(
      `at ${perHour} an hour the year has ${first.fast} pages here, ${first.evaluated} there`,
    );
  }
  const [low, high] = interval95(pages);
  const without = falsePagesAt(sloOf(objective), perHour);
  const held = low / played <= stated ? 'yes' : 'NO';
  const row = [
    rateText(perHour),
    `${objective}%`,
    String(played),
    number(without),
    number(stated),
    number(falsePagesAt(slo, perHour)),
    number(pages / played),
    `${number(low / played)} to ${number(high / played)}`,
    held,
  ];
  console.log(row.join(' | '));
  return row;
}

const mean = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0) / all.length;
const minutes = (ms: number): string => (ms / 60_000).toFixed(2);

function outageRow(perHour: number): string[] {
  const delays = outageDelays(sloOf(99.9, 1), perHour, 1, years * 4, 11);
  const bound = (waldEvents(1, 0.0005, perHour) / perHour) * 3_600_000;
  const row = [
    rateText(perHour),
    minutes(bound),
    minutes(mean(delays.events)),
    (mean(delays.events) / bound).toFixed(2),
    minutes(mean(delays.pages)),
    (mean(delays.pages) / bound).toFixed(2),
  ];
  console.log(row.join(' | '));
  return row;
}

function laterRow(perHour: number, share: number): string[] {
  const [guarded, plain] = [sloOf(99.9, 1), sloOf(99.9)].map(
    (slo) => outageDelays(slo, perHour, share, Math.ceil(years / 2), 13).pages,
  ) as [number[], number[]];
  const later = guarded.filter((ms, i) => ms > (plain[i] as number)).length;
  const row = [
    rateText(perHour),
    `${share * 100}%`,
    minutes(mean(plain)),
    minutes(mean(guarded)),
    `${later} of ${guarded.length}`,
  ];
  console.log(row.join(' | '));
  return row;
}

const table = (header: string[], rows: string[][]): string =>
  [header, header.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');

const began = performance.now();
const healthyRows = healthy.map(healthyRow);
const outages = [20, 50, 200, 1000].map(outageRow);
const later = [10, 100, 1000].flatMap((rate) =>
  [1, 0.1, 0.02, 0.006].map((share) => laterRow(rate * perSecond, share)),
);
const seconds = Math.round((performance.now() - began) / 1000);

const text = `# Pages for nothing, over ${years.toLocaleString('en')} years of a service that is well

A service spends half of its budget, evenly, and nothing happens to it. Its bad and good events are Poisson counts of
each
30 s, seeded; the page's windows (3 times too fast over 1h and 5m, 6 times over 6h and 30m) and its guard
(\`alerting.falsePagesPerYear\`) are those of the generated rules, evaluated every 30 s. The first year of each line is
also played by the backtest's evaluator, which agrees with \`promtool test rules\`, and pages alike.
Expected is the figure that \`slo explain\` prints, by arithmetic.

${table(
  [
    'events',
    'objective',
    'years',
    'expected without the guard',
    'stated',
    'expected',
    'pages a year',
    '95% interval',
    'held',
  ],
  healthyRows,
)}

## A total outage

Beside Wald's bound for the mean: no rule that pages for nothing once a year needs fewer events than
ln(events a year) over the information of one event (Wald 1945; Lorden 1971). A rule can page only when an event
happens, and
then at the evaluation after it (15 s later in the mean), so that both times are here: until the event that completes
the
page's condition, and until the page. ${(years * 4).toLocaleString('en')} outages each, minutes.

${table(
  ['events', "Wald's bound", 'to the event', 'over the bound', 'to the page', 'over the bound'],
  outages,
)}

## Where many events happen the guard costs nothing

The same incidents with and without the guard, ${Math.ceil(years / 2)} each; mean minutes until the page.

${table(['events', 'bad', 'without the guard', 'with it', 'paged later'], later)}

${seconds} s. Repeat with \`npm run bench:false-pages\`.
`;
if (flag < 0) writeFileSync(join(packageRoot, 'bench/results/false-pages.md'), text);
else console.log(text);
