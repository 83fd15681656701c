/** Starts and stops the parts of `firedrill watch serve`. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, realClock, type Timer } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { notListening, UserError } from '../../../base/errors.js';
import { type HostPort, hostPort } from '../../../base/host-port.js';
import { packageVersion } from '../../../base/paths.js';
import { readCsv } from '../../../slo/promql/data/csv.js';
import { readOpenMetrics } from '../../../slo/promql/data/openmetrics.js';
import { readInput } from '../../../base/input.js';
import { checkExpr } from '../../rules/engine.js';
import { readRuleFiles } from '../../rules/read.js';
import type { Target } from '../model.js';
import { fetchOverHttp, Scraper } from '../scraper.js';
import { AlertSender } from './alert-sender.js';
import type { ServeFlags } from './command.js';
import { LimitedStore } from './limited-store.js';
import { QueryAnswers } from './query-answers.js';
import { RuleLoop } from './rule-loop.js';
import { type Served, serverOf } from './server.js';

const sweepEveryMs = 10_000;
/** Samples that one query may hold: Prometheus's default. */
const querySamplesMax = 50_000_000;

/** Runs until it receives a signal to end. */
export async function runServe(flags: ServeFlags): Promise<void> {
  const serving = await startServing(flags, (line) => process.stderr.write(`${line}\n`));
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await serving.stop();
}

export interface Serving {
  url: string;
  stop(): Promise<void>;
}

/** Throws a UserError if an option or a file is wrong or the address is taken; nothing keeps running then. */
export async function startServing(
  flags: ServeFlags,
  say: (line: string) => void,
  clock: Clock = realClock,
): Promise<Serving> {
  const address = addressOf(flags.listen);
  const times = {
    scrapeMs: durationFlag('--scrape-interval', flags.scrapeInterval),
    evaluationMs: durationFlag('--evaluation-interval', flags.evaluationInterval),
    resendMs: durationFlag('--resend-delay', flags.resendDelay),
  };
  const store = storeOf(flags);
  const groups = readRuleFiles(flags.rules, { checkExpr });
  const targets = flags.scrape.map(targetOf);
  const externalLabels = Object.fromEntries(flags.externalLabel.map(labelOf));
  for (const url of flags.alertmanager) httpUrl('--alertmanager', url);
  let served: Served | undefined;
  const server = serverOf(() => served);
  const url = await listen(server, address);
  const externalUrl = (flags.externalUrl ?? url).replace(/\/+$/, '');
  const sender = new AlertSender({
    urls: flags.alertmanager,
    resendMs: times.resendMs,
    externalLabels,
    externalUrl,
    say,
  });
  const rules = new RuleLoop({
    clock,
    store,
    groups,
    evaluationIntervalMs: times.evaluationMs,
    externalLabels,
    externalUrl,
    evaluated: (group, timeMs) => sender.take(group, timeMs),
    say,
  });
  const bounds = { subqueryStepMs: times.evaluationMs, samplesMax: querySamplesMax };
  const nowMs = (): number => clock.nowMs();
  const queries = new QueryAnswers(store, bounds, nowMs);
  const scrapers = targets.map(
    (target) => new Scraper(target, clock, store, times.scrapeMs, fetchOverHttp),
  );
  served = { store, queries, rules, sender, scrapers, version: packageVersion(), nowMs };
  for (const scraper of scrapers) scraper.start();
  rules.start();
  const sweep: Timer = clock.every(sweepEveryMs, () => store.sweep(clock.nowMs()));
  const count = (list: readonly unknown[], one: string): string =>
    `${list.length} ${one}${list.length === 1 ? '' : 's'}`;
  say(`listening on ${url}: ${count(groups, 'rule group')}, ${count(targets, 'target')}`);
  return {
    url,
    async stop() {
      sweep.cancel();
      rules.stop();
      for (const scraper of scrapers) scraper.stop();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await sender.close();
    },
  };
}

function storeOf(flags: ServeFlags): LimitedStore {
  const forever = flags.retention === undefined && flags.file.length > 0;
  const store = new LimitedStore({
    seriesMax: countFlag('--max-series', flags.maxSeries),
    samplesMax: countFlag('--max-samples', flags.maxSamples),
    retentionMs: forever ? Infinity : durationFlag('--retention', flags.retention ?? '24h'),
  });
  for (const file of flags.file) {
    const read = file.endsWith('.csv') ? readCsv : readOpenMetrics;
    store.samples += read(file, readInput(file), store);
  }
  if (store.refused > 0) {
    const { limits, labelsMax } = store;
    const expected = `at most ${limits.seriesMax} series with ${labelsMax} characters of labels (--max-series)`;
    throw new UserError({ message: `${flags.file.join(', ')}: too many series`, expected });
  }
  return store;
}

function addressOf(text: string): HostPort {
  const address = hostPort(text);
  if (address) return address;
  throw new UserError({ message: `--listen ${text}`, expected: 'such as 127.0.0.1:9090' });
}

async function listen(server: Server, { host, port }: HostPort): Promise<string> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host === '' ? undefined : host, resolve);
    });
  } catch (error) {
    throw notListening(`--listen ${host}`, port, error as NodeJS.ErrnoException);
  }
  const own = server.address() as AddressInfo;
  return `http://${own.family === 'IPv6' ? `[${own.address}]` : own.address}:${own.port}`;
}

function durationFlag(flag: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= 100) return ms;
  throw new UserError({ message: `${flag} ${text}`, expected: 'a duration such as 15s' });
}

function countFlag(flag: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UserError({ message: `${flag} ${text}`, expected: 'a whole number above 0' });
}

function httpUrl(flag: string, text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new UserError({ message: `${flag} ${text}`, expected: 'a URL with http or https' });
}

function targetOf(text: string): Target {
  const at = text.indexOf('=');
  if (at > 0) return { job: text.slice(0, at), url: httpUrl('--scrape', text.slice(at + 1)) };
  const expected = 'a job and a URL, such as app=http://localhost:8080/metrics';
  throw new UserError({ message: `--scrape ${text}`, expected });
}

function labelOf(text: string): [string, string] {
  const match = /^([a-zA-Z_]\w*)=(.*)$/.exec(text);
  if (match) return [match[1] as string, match[2] as string];
  throw new UserError({ message: `--external-label ${text}`, expected: 'such as region=eu' });
}
