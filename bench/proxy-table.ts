/** Renders the bench's figures as a page. */
import type { LatencyRun, Result, Run } from './proxy.js';
import { type Hops, type Name, names } from './proxy-setups.js';
import { median } from './median.js';

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

const fixed = (value: number, digits = 1): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–';

/** A run with an error has no figure. */
const clean = <T extends Run | LatencyRun>(runs: T[], name: Name, hops: Hops): T[] =>
  runs.filter(
    (r) => r.name === name && r.hops === hops && r.errors === 0 && (!('rate' in r) || r.rate === 0),
  );

/**
 * The median over rounds of firedrill's figure divided by the peer's, round by round: other load then affects both.
 */
function ratio(result: Result, hops: Hops, peer: Name): number {
  const cost = (name: Name, round: number): number =>
    sum(clean(result.runs, name, hops).find((r) => r.round === round)?.cpuMicros ?? [NaN]);
  const rounds = [...new Set(result.runs.filter((r) => r.hops === hops).map((r) => r.round))];
  const ratios = rounds.map((round) => cost('firedrill', round) / cost(peer, round));
  return median(ratios.filter(Number.isFinite));
}

function p99(result: Result, hops: Hops, name: Name): number {
  return median(clean(result.latency, name, hops).map((r) => r.p99Ms));
}

/** At fixed rates, where each request comes alone: CPU of both proxies per request. */
function atRates(result: Result): string {
  const rates = [...new Set(result.runs.map((r) => r.rate).filter((rate) => rate > 0))];
  if (rates.length === 0) return '';
  let text = `\n${row('', ...rates.map((rate) => `${rate} requests/s: µs, p99 in ms`))}`;
  text += `| --- |${' ---: |'.repeat(rates.length)}\n`;
  for (const name of names) {
    const cells = rates.map((rate) => {
      const runs = result.runs.filter((r) => r.name === name && r.rate === rate && r.errors === 0);
      const micros = median(runs.map((r) => sum(r.cpuMicros)));
      return `${fixed(micros)}, ${fixed(median(runs.map((r) => r.p99Ms ?? NaN)))}`;
    });
    text += row(name, ...cells);
  }
  return text;
}

const titles = { plain: 'HTTP/1.1, plaintext, one hop', mtls: 'HTTP/1.1, mutual TLS, out + in' };

const row = (...cells: (string | number)[]): string => `| ${cells.join(' | ')} |\n`;

export function table(result: Result): string {
  let text = `# What a request costs

\`npm run bench:proxy\` (Node ${result.node} with ${result.nodeFlags.join(' ')}; ${result.cores} cores, shared with the
load and the upstream). Every feature of ours is on: counters a route, three endpoints balanced by peak EWMA, retries
and deadlines armed, outlier detection, 1 % of requests traced to a collector. CPU is user + system time of the proxy's
process a request, the median of short slices in which all take turns; ratios are taken turn by turn, because absolute
times follow whatever else the machine does. p99 is at half of HAProxy's maximum rate.
`;
  for (const hops of ['plain', 'mtls'] as const) {
    if (!result.runs.some((r) => r.hops === hops)) continue;
    text += `\n## ${titles[hops]}\n\n`;
    text += row(
      '',
      'CPU a request, µs',
      'requests/s',
      'p50, ms',
      'p99, ms',
      'memory, MB',
      'failed',
    );
    text += '| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n';
    for (const name of names) {
      const all = result.runs.filter((r) => r.name === name && r.hops === hops && r.rate === 0);
      if (all.length === 0) continue;
      const runs = clean(result.runs, name, hops);
      const late = clean(result.latency, name, hops);
      const perHop = (of: (run: Run) => number[], digits: number): string =>
        (runs[0] ? of(runs[0]) : [])
          .map((_, i) => fixed(median(runs.map((r) => of(r)[i] ?? NaN)), digits))
          .join(' + ') || '–';
      text += row(
        name,
        perHop((r) => r.cpuMicros, 1),
        fixed(median(runs.map((r) => r.rps)), 0),
        fixed(median(late.map((r) => r.p50Ms)), 2),
        fixed(median(late.map((r) => r.p99Ms)), 2),
        perHop((r) => r.rssMb, 0),
        sum(all.map((r) => r.errors)),
      );
    }
    if (hops === 'mtls') text += atRates(result);
    const late = p99(result, hops, 'firedrill') / p99(result, hops, 'envoy');
    text += `\n${row('', 'measured', 'bar')}| --- | ---: | ---: |\n`;
    text += row("CPU, ours / Envoy's", fixed(ratio(result, hops, 'envoy'), 2), '0.55');
    text += row("CPU, ours / HAProxy's", fixed(ratio(result, hops, 'haproxy'), 2), '1.35');
    text += row("p99, ours / Envoy's", fixed(late, 2), '1.00');
  }
  const [first] = result.memory;
  const last = result.memory[result.memory.length - 1];
  if (first && last) {
    text += `\n## Memory\n\n${fixed(first.rssMb)} MB after ${first.requests} requests, ${fixed(last.rssMb)} MB`;
    text += ` after ${last.requests} (bar: 64 MB, flat over a million).\n`;
  }
  return text;
}
