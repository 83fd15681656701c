/** Runs `firedrill alerts lint`: reads the files, gathers the known metrics, checks, prints and repairs. */
import { readdirSync } from 'node:fs';
import { writeFileWhole } from '../../base/write-file.js';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { suggest } from '../../base/suggest.js';
import { counted, formatTable, styleFor } from '../../base/terminal.js';
import { listFiles } from '../../slo/index.js';
import { MetricCatalogue } from './catalogue.js';
import { metricOf, selectorsIn } from './context.js';
import { applyEdits } from './fix.js';
import { lint, type LintSettings } from './lint.js';
import { addLiveMetrics } from './live-metrics.js';
import { addKnownMetrics } from './known-metrics.js';
import { addMeshMetrics } from './mesh-catalogue.js';
import { addMetricList } from './metric-lists.js';
import { type Finding, lintRules } from './model.js';
import { lintJson, lintSarif, lintText } from './output.js';
import { type LintFile, readLintFile, readLintText } from './source.js';

export interface LintFlags {
  metrics: readonly string[];
  prometheus?: string;
  scrapeInterval?: string;
  severities: string;
  ownerLabels: string;
  runbookBase?: string;
  runbooks?: string;
  enableFeature?: string[];
  format: string;
  fix: boolean;
  strict: boolean;
  /** Rules of lint to switch off. */
  off?: string[];
  listRules: boolean;
}

export async function runLint(paths: readonly string[], flags: LintFlags): Promise<void> {
  if (flags.listRules) {
    process.stdout.write(`${rulesText()}\n`);
    return;
  }
  if (paths.length === 0) {
    throw new UserError({ message: 'nothing to lint', expected: 'files, folders or -' });
  }
  let files = listFiles(paths).map(readLintFile);
  // An empty input usually means a broken pipe or template, so it must not pass as clean.
  if (files.every((f) => f.rules.length === 0 && f.problems.length === 0)) {
    const names = files.map((f) => f.file).join(', ');
    throw new UserError({ message: `no rules in ${names}`, expected: 'rule files' });
  }
  const settings = await settingsOf(flags, files);
  const off = offRules(flags.off ?? []);
  const judged = (): Finding[] => lint(files, settings).filter((f) => !off.has(f.rule));
  let findings = judged();
  if (flags.fix) {
    const count = repair(files, findings);
    // A finding that was fixed disappears; a finding that the fix exposed is reported as new.
    files = files.map((f) => (f.file === '<stdin>' ? f : readLintFile(f.file)));
    findings = judged();
    process.stderr.write(`${count} repaired\n`);
  }
  const style = styleFor(process.stdout);
  const text =
    flags.format === 'json'
      ? lintJson(findings)
      : flags.format === 'sarif'
        ? lintSarif(findings, files)
        : lintText(findings, style);
  process.stdout.write(text);
  const errors = findings.filter((f) => f.level === 'error').length;
  if (flags.format === 'text') process.stderr.write(`${summary(files, findings, errors)}\n`);
  const bad = errors > 0 || (flags.strict && findings.length > 0);
  if (bad) process.exitCode = exitCode.failed;
}

async function settingsOf(flags: LintFlags, files: readonly LintFile[]): Promise<LintSettings> {
  const catalogue = new MetricCatalogue();
  addMeshMetrics(catalogue, false);
  addKnownMetrics(catalogue);
  for (const source of flags.metrics) {
    addMetricList(catalogue, source);
    catalogue.complete = true;
  }
  const given = flags.scrapeInterval;
  let scrapeIntervalMs = given === undefined ? undefined : parseDurationMs(given);
  if (given !== undefined && !scrapeIntervalMs) {
    throw new UserError({ message: `--scrape-interval ${given}`, expected: 'such as 15s' });
  }
  let eventsPerHour: ReadonlyMap<string, number> | undefined;
  if (flags.prometheus !== undefined) {
    const rules = files.flatMap((f) => f.rules);
    const names = rules.flatMap((r) => (r.expr ? selectorsIn(r.expr).map(metricOf) : []));
    const wanted = [...new Set(names.filter((n) => n !== undefined))];
    const live = await addLiveMetrics(catalogue, flags.prometheus, wanted);
    scrapeIntervalMs ??= live.scrapeIntervalMs;
    ({ eventsPerHour } = live);
  }
  const words = (text: string): string[] => text.split(',').filter((w) => w !== '');
  return {
    catalogue,
    ...(scrapeIntervalMs === undefined ? {} : { scrapeIntervalMs }),
    severities: words(flags.severities),
    ownerLabels: words(flags.ownerLabels),
    runbookBase: flags.runbookBase,
    eventsPerHour,
    enabledFeatures: flags.enableFeature ?? [],
    runbooks: flags.runbooks === undefined ? undefined : pagesIn(flags.runbooks),
  };
}

/** The rules of lint that are switched off in this run; an unknown name is an error. */
function offRules(names: readonly string[]): ReadonlySet<string> {
  for (const name of names) {
    if (name in lintRules) continue;
    const near = suggest(name, Object.keys(lintRules));
    throw new UserError({
      message: `--off ${name}: there is no such rule`,
      expected: near ?? 'one that firedrill alerts lint --list-rules lists',
    });
  }
  return new Set(names);
}

function pagesIn(folder: string): Set<string> {
  try {
    const files = readdirSync(folder).filter((f) => f.endsWith('.md'));
    return new Set(files.map((f) => f.slice(0, -'.md'.length)));
  } catch (error) {
    throw new UserError(`--runbooks ${folder}: ${messageOf(error)}`);
  }
}

function repair(files: readonly LintFile[], findings: readonly Finding[]): number {
  let total = 0;
  for (const file of files) {
    if (file.file === '<stdin>') continue;
    const own = findings.filter((f) => f.place.file === file.file);
    const { text, count } = applyEdits(file.text, own);
    if (count === 0) continue;
    // A repair that would break the file is not written.
    const after = readLintText(file.file, text);
    const broken = (f: LintFile): number =>
      f.problems.length + f.rules.filter((r) => r.syntaxError).length;
    if (broken(after) > broken(file)) continue;
    writeFileWhole(file.file, text);
    total += count;
  }
  return total;
}

function summary(files: readonly LintFile[], findings: readonly Finding[], errors: number): string {
  const rules = files.reduce((sum, f) => sum + f.rules.length, 0);
  const fixable = findings.filter((f) => f.edit).length;
  const can = fixable > 0 ? `, ${fixable} can be repaired with --fix` : '';
  const where = `${counted(rules, 'rule')} in ${counted(files.length, 'file')}`;
  const warnings = counted(findings.length - errors, 'warning');
  return `${where}: ${counted(errors, 'error')}, ${warnings}${can}`;
}

const rulesText = (): string =>
  formatTable(
    ['RULE', 'LEVEL', 'WHY'],
    Object.entries(lintRules).map(([id, [level, why]]) => [id, level, why]),
  );
