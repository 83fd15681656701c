/** The command's work: SLOs and a source in, results to the terminal, to JSON and to a page out. */
import { join } from 'node:path';
import { realClock } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { UserError } from '../../../base/errors.js';
import { asset, cacheFolder } from '../../../base/paths.js';
import { Progress } from '../../../base/terminal.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { readSlos, type Slo } from '../../../slo/index.js';
import { parseStep } from '../../../slo/rules/generate.js';
import { QueryEngine } from '../../rules/engine.js';
import { DataFiles } from './data-files.js';
import { historyOf } from './history-api.js';
import { type Incident, readStory, type Story } from './incidents.js';
import { type AskRange, measure } from './measure.js';
import { backtestPage } from './page.js';
import { runJobs } from './pool.js';
import { readRemoteWrite } from './remote-write.js';
import type { Job, Material, SloResult } from './run.js';
import type { Tuning } from './tune.js';
import { tuningText, writeBack } from './tune-words.js';
import { complaints, resultText, summaryText } from './words.js';

export interface BacktestFlags {
  input: string[];
  slo?: string[];
  incidents?: string;
  prometheus?: string;
  from: string;
  to?: string;
  cache?: string;
  openmetrics?: string[];
  csv?: string[];
  remoteWrite?: string[];
  step: string;
  threads?: string;
  tune?: boolean;
  writeBack?: boolean;
  check?: boolean;
  list?: boolean;
  html?: string;
  output: string;
  everyGroupEachStep?: boolean;
}

/** More results than this are a line each. */
const detailedMax = 20;
const plotColumns = 900;

/** Resolves to whether `--check`, where it was asked for, has nothing to complain about. */
export async function backtest(flags: BacktestFlags): Promise<boolean> {
  const stepMs = parseStep(flags.step);
  const slos = chosen(readSlos(flags.input), flags.slo);
  const threads = flags.threads === undefined ? undefined : countOf(flags.threads);
  const progress = new Progress();
  const source = await sourceOf(flags, slos, stepMs, progress);
  const jobs = source.jobs.map((job): Job => ({
    ...job,
    stepMs,
    compile: {},
    schedule: flags.everyGroupEachStep ? { coarseMs: stepMs } : {},
    plotColumns: flags.html === undefined ? 0 : plotColumns,
    tune: flags.tune === true || flags.writeBack === true,
  }));
  const results = await runJobs(jobs, jobs.length, {
    ...(threads === undefined ? {} : { threads }),
    onProgress: (done, of) => progress.update(`${done} of ${of} SLOs`),
  });
  progress.clear();
  const tunings = new Map(
    results.flatMap((r): [string, Tuning][] => (r.tuning ? [[r.slo, r.tuning]] : [])),
  );
  say(flags, source.text, results);
  if (flags.html !== undefined) {
    writeFileWhole(flags.html, backtestPage(results, tunings, source.text));
    progress.line(`wrote ${flags.html}`);
  }
  if (flags.writeBack) {
    const byId = new Map(slos.map((slo) => [slo.id, slo]));
    for (const [id, tuning] of tunings) {
      if (tuning.recommended === tuning.current) continue;
      progress.line(`${id}: windows written to ${writeBack(byId.get(id) as Slo, tuning)}`);
    }
  }
  if (!flags.check) return true;
  const problems = complaints(results);
  for (const problem of problems) progress.line(problem);
  return problems.length === 0;
}

function say(flags: BacktestFlags, source: string, results: readonly SloResult[]): void {
  if (flags.output === 'json') {
    const plain = results.map((result) => ({
      ...result,
      plot: undefined,
      tuning: result.tuning && { ...result.tuning, candidates: undefined },
    }));
    process.stdout.write(`${JSON.stringify({ source, results: plain }, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(`${source}\n\n`);
  if (results.length > detailedMax && !flags.list) process.stdout.write(summaryText(results));
  else
    for (const result of results)
      process.stdout.write(`${resultText(result, flags.list === true)}\n`);
  for (const { tuning } of results) if (tuning) process.stdout.write(`${tuningText(tuning)}\n`);
}

function chosen(slos: Slo[], ids: string[] | undefined): Slo[] {
  if (!ids) return slos;
  const unknown = ids.find((id) => !slos.some((slo) => slo.id === id));
  if (unknown !== undefined) {
    const expected = slos.map((slo) => slo.id).join(', ');
    throw new UserError({ message: `--slo ${unknown}: there is no such SLO`, expected });
  }
  return slos.filter((slo) => ids.includes(slo.id));
}

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0 && count <= 256) return count;
  throw new UserError({ message: `--threads ${text}`, expected: 'a number from 1 to 256' });
}

interface Source {
  text: string;
  jobs: { slo: Slo; labels: Record<string, string>; material: Material }[];
}

async function sourceOf(
  flags: BacktestFlags,
  slos: Slo[],
  stepMs: number,
  progress: Progress,
): Promise<Source> {
  const story = flags.incidents === undefined ? undefined : readStory(flags.incidents);
  if (story) checkNames(story, slos);
  const files = [flags.openmetrics, flags.csv, flags.remoteWrite].some((f) => f !== undefined);
  if (flags.prometheus !== undefined && files) {
    throw new UserError({ message: 'a Prometheus and files', expected: 'one source' });
  }
  if (flags.prometheus === undefined && !files) {
    const told = story ?? readStory(asset('alerts/proof/backtest/standard.yaml'));
    const days = told.durationMs / 86_400_000;
    return {
      text: `${told.incidents.length} incidents in ${days} days, from ${told.file}`,
      jobs: slos.map((slo) => ({ slo, labels: {}, material: { kind: 'story', story: told } })),
    };
  }
  const incidents = story?.incidents ?? [];
  if (flags.prometheus !== undefined) {
    return fromPrometheus(flags, flags.prometheus, slos, incidents, stepMs, progress);
  }
  return fromFiles(flags, slos, incidents, stepMs);
}

function checkNames(story: Story, slos: readonly Slo[]): void {
  const known = new Set(slos.map((slo) => slo.id));
  for (const incident of story.incidents) {
    const unknown = incident.slos.find((id) => !known.has(id));
    if (unknown === undefined) continue;
    throw new UserError({
      message: `${story.file}: '${incident.name}' is about ${unknown}, which is no SLO given`,
      expected: [...known].join(', '),
    });
  }
}

async function fromPrometheus(
  flags: BacktestFlags,
  url: string,
  slos: Slo[],
  incidents: Incident[],
  stepMs: number,
  progress: Progress,
): Promise<Source> {
  const toMs =
    flags.to === undefined ? realClock.nowMs() : timeOf('--to', flags.to, realClock.nowMs());
  const span = spanOf(timeOf('--from', flags.from, toMs), toMs, stepMs);
  let slo = '';
  const ask = historyOf({
    url,
    folder: flags.cache ?? join(cacheFolder(), 'backtest'),
    clock: realClock,
    onProgress: (text) => progress.update(`${slo}: ${text}`),
  });
  const jobs = await measureAll(slos, ask, span, incidents, (id) => (slo = id));
  return { text: `${spanText(span)} of ${url}`, jobs };
}

async function fromFiles(
  flags: BacktestFlags,
  slos: Slo[],
  incidents: Incident[],
  stepMs: number,
): Promise<Source> {
  const data = new DataFiles();
  for (const file of flags.openmetrics ?? []) data.readOpenMetrics(file);
  for (const file of flags.csv ?? []) data.readCsv(file);
  for (const path of flags.remoteWrite ?? []) readRemoteWrite(path, data);
  const names = [flags.openmetrics, flags.csv, flags.remoteWrite].flatMap((list) => list ?? []);
  if (!data.range) throw new UserError(`${names.join(', ')}: there is no sample in it`);
  const endMs = data.range.endMs + stepMs;
  const toMs = flags.to === undefined ? endMs : timeOf('--to', flags.to, endMs);
  const fromMs = timeOf('--from', flags.from, toMs);
  const span = spanOf(Math.max(fromMs, data.range.startMs), toMs, stepMs);
  const engine = new QueryEngine(data.store, { subqueryStepMs: stepMs });
  const ask: AskRange = (expr, startMs, end, step) => engine.range(expr, startMs, end, step);
  const jobs = await measureAll(slos, ask, span, incidents, () => undefined);
  return { text: `${spanText(span)} of ${names.join(', ')}`, jobs };
}

async function measureAll(
  slos: Slo[],
  ask: AskRange,
  span: { startMs: number; endMs: number; stepMs: number },
  incidents: Incident[],
  onSlo: (id: string) => void,
): Promise<Source['jobs']> {
  const all = new Map(slos.map((slo) => [slo.id, slo]));
  const jobs: Source['jobs'] = [];
  const empty: string[] = [];
  for (const slo of slos) {
    onSlo(slo.id);
    const measured = await measure(slo, all, ask, span);
    if (measured.length === 0) empty.push(slo.id);
    for (const { labels, events } of measured) {
      jobs.push({ slo, labels, material: { kind: 'measured', events, incidents } });
    }
  }
  // A backtest of nothing would be a green one.
  if (empty.length > 0) {
    const message = `nothing was measured of ${empty.join(', ')}: no series matches in ${spanText(span)}`;
    throw new UserError({ message, expected: 'series that their queries find' });
  }
  return jobs;
}

/** On whole steps, so that chunks of one download are those of the next. */
function spanOf(fromMs: number, toMs: number, stepMs: number) {
  const startMs = Math.ceil(fromMs / stepMs) * stepMs;
  const endMs = Math.ceil(toMs / stepMs) * stepMs;
  if (endMs - startMs < 2 * stepMs) {
    throw new UserError({
      message: '--from and --to: nothing lies between them',
      expected: 'a span',
    });
  }
  return { startMs, endMs, stepMs };
}

const spanText = (span: { startMs: number; endMs: number }): string =>
  `${new Date(span.startMs).toISOString().slice(0, 16)} to ${new Date(span.endMs).toISOString().slice(0, 16)} UTC`;

/** A time, or a duration before the end. */
function timeOf(flag: string, text: string, endMs: number): number {
  const before = parseDurationMs(text);
  if (before !== undefined) return endMs - before;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new UserError({
    message: `${flag} ${text}`,
    expected: 'a time, or a duration such as 30d',
  });
}
