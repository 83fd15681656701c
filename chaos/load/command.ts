/** `firedrill chaos load`: the shop (or another address) under load, held to the objectives of its SLOs. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { realClock, sleep } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { formatTable } from '../../base/terminal.js';
import { writeFileWhole } from '../../base/write-file.js';
import { readSlos } from '../../slo/index.js';
import { startShop } from '../gameday/system-process.js';
import { Journal } from '../runner/journal.js';
import { startLoad } from './load.js';
import { shopProfile } from './profile.js';
import { judgeLoad, loadJunit, type Threshold, thresholdsOf } from './thresholds.js';

export interface LoadCommandOptions {
  duration: string;
  rate: string;
  load: string;
  slo: string[];
  url?: string;
  junit?: string;
  print?: boolean;
  state: string;
}

/** What starting up costs is not held against the system. */
const warmUpMs = 2000;

export async function loadCommand(given: LoadCommandOptions, slos: string[]): Promise<number> {
  const lengthMs = parseDurationMs(given.duration);
  if (lengthMs === undefined || lengthMs < 1000) {
    const expected = 'such as 60s, a second at least';
    throw new UserError({ message: `bad --duration '${given.duration}'`, expected });
  }
  const rate = Number(given.rate);
  if (!(rate >= 10 && rate <= 10_000)) {
    throw new UserError({ message: `bad --rate '${given.rate}'`, expected: '10 to 10000' });
  }
  if (!['auto', 'embedded', 'k6'].includes(given.load)) {
    throw new UserError({ message: `bad --load '${given.load}'`, expected: 'auto, embedded, k6' });
  }
  const kind = given.load as 'auto' | 'embedded' | 'k6';
  if (given.print) {
    const profile = shopProfile(given.url ?? 'http://127.0.0.1:8080', rate);
    process.stdout.write(`${JSON.stringify(profile)}\n`);
    return exitCode.ok;
  }
  const thresholds = thresholdsOf(readSlos(slos));
  const run = `load-${realClock.nowMs()}`;
  const journal = new Journal(given.state, run, () => realClock.nowMs());
  const shop =
    given.url === undefined
      ? await startShop(journal, 86_400_000, (line) => process.stderr.write(`${line}\n`))
      : undefined;
  try {
    await shop?.ready;
    const url = given.url ?? (shop?.system.description.url as string);
    return await loadAndJudge({ given, url, rate, kind, lengthMs, thresholds });
  } finally {
    await shop?.stop();
    journal.close();
  }
}

async function loadAndJudge(parts: {
  given: LoadCommandOptions;
  url: string;
  rate: number;
  kind: 'auto' | 'embedded' | 'k6';
  lengthMs: number;
  thresholds: Threshold[];
}): Promise<number> {
  const { given, lengthMs, thresholds } = parts;
  const load = await startLoad(parts.kind, shopProfile(parts.url, parts.rate));
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    await sleep(warmUpMs, abort.signal);
    const startMs = realClock.nowMs();
    await sleep(lengthMs, abort.signal);
    const endMs = realClock.nowMs();
    await sleep(load.lagMs);
    if (abort.signal.aborted) return exitCode.interrupted;
    if (load.failure !== undefined) {
      throw new UserError(`the load ended: ${load.failure}`, exitCode.environment);
    }
    const due = (parts.rate * (endMs - startMs)) / 1000;
    const points = load.points.between(startMs, endMs);
    const results = judgeLoad(thresholds, points, due);
    const rows = results.map((r) => [r.held ? 'held' : 'MISSED', r.name, r.measured, r.bound]);
    const by = load.version === undefined ? load.kind : `${load.kind} ${load.version}`;
    process.stdout.write(
      `${points.length} requests by ${by}, ${load.points.dropped} dropped\n` +
        `${formatTable(['', 'OBJECTIVE', 'MEASURED', 'BOUND'], rows)}\n`,
    );
    if (given.junit !== undefined) {
      mkdirSync(dirname(given.junit), { recursive: true });
      writeFileWhole(given.junit, loadJunit(results, (endMs - startMs) / 1000));
    }
    if (points.length < due * 0.9) return exitCode.inconclusive;
    return results.every((r) => r.held) ? exitCode.ok : exitCode.failed;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await load.stop();
  }
}
