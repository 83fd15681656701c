/** Runs `firedrill alerts backtest`: SLOs and a data source in; results as text, JSON and a page out. */
import { UserError } from '../../../base/errors.js';
import { asset } from '../../../base/paths.js';
import { Progress } from '../../../base/terminal.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { readSlos, type Slo } from '../../../slo/index.js';
import { parseStep } from '../../../slo/rules/generate.js';
import { type Incident, readStory, type Story } from './incidents.js';
import type { BacktestFlags } from './flags.js';
import { hasFiles, type History, historyFrom, incidentsWithin, spanText } from './history.js';
import { measure } from './measure.js';
import { backtestRules } from './backtest-rules.js';
import { backtestPage } from './page.js';
import { runJobs } from './pool.js';
import type { Job, Material, SloResult } from './run.js';
import type { Tuning } from './tune.js';
import { tuningText, writeBack } from './tune-words.js';
import { complaints, resultText, summaryText } from './words.js';

/** More results than this are printed as one line each. */
const detailedMax = 20;
const plotColumns = 900;

/** Resolves to false if `--fail` was given and found a complaint; otherwise to true. */
export async function backtest(flags: BacktestFlags): Promise<boolean> {
  const stepMs = parseStep(flags.step);
  if ((flags.input === undefined) === (flags.rules === undefined)) {
    const message = flags.rules ? '--input names SLOs, and --rules rules' : 'nothing to backtest';
    throw new UserError({ message, expected: 'either --input or --rules' });
  }
  if (flags.rules) return backtestRules(flags, flags.rules, stepMs);
  const slos = chosen(readSlos(flags.input ?? []), flags.slo);
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
  if (!flags.fail) return true;
  const problems = complaints(results);
  for (const problem of problems) progress.line(problem);
  return problems.length === 0;
}

function say(flags: BacktestFlags, source: string, results: readonly SloResult[]): void {
  if (flags.format === 'json') {
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
  const files = hasFiles(flags);
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
  let slo = '';
  const history = historyFrom(flags, stepMs, (text) => progress.update(`${slo}: ${text}`));
  const incidents = incidentsWithin(flags.incidents, history.span, (text) => progress.line(text));
  const jobs = await measureAll(slos, history, incidents, (id) => (slo = id));
  return { text: history.text, jobs };
}

function checkNames(story: Story, slos: readonly Slo[]): void {
  const known = new Set(slos.map((slo) => slo.id));
  for (const incident of story.incidents) {
    const unknown = incident.slos.find((id) => !known.has(id));
    if (unknown === undefined) continue;
    throw new UserError({
      message: `${story.file}: '${incident.name}' names ${unknown}, which is not among the given SLOs`,
      expected: [...known].join(', '),
    });
  }
}

async function measureAll(
  slos: Slo[],
  { ask, span }: History,
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
  // A backtest without data must not pass.
  if (empty.length > 0) {
    const message = `no data for ${empty.join(', ')}: no series matches in ${spanText(span)}`;
    throw new UserError({ message, expected: 'series that their queries find' });
  }
  return jobs;
}
