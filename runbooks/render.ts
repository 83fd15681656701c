/** Renders a page with facts as Markdown, in which all external text is escaped for its context. */
import Handlebars from 'handlebars';
import { parseDurationMs } from '../base/duration.js';
import { escapedProgram, escapeFor, type Context, Placeholder, Query } from './escape.js';
import { placeOf, type RunbookFacts } from './facts.js';
import { markdownCode, markdownText } from './markdown.js';
import { pageFor, type Page, readPages, readParts } from './pages.js';
import { countText, instantText, percentText, timesText, timeText } from './words.js';

const compiler = Handlebars.create();
compiler.registerHelper('escape', (context: Context, value: unknown) => escapeFor(context, value));

const compiled = new Map<string, Handlebars.TemplateDelegate>();
let partsRead = false;

function templateOf(page: Page): Handlebars.TemplateDelegate {
  if (!partsRead) {
    for (const [name, text] of readParts()) {
      compiler.registerPartial(name, compile(text));
    }
    partsRead = true;
  }
  let template = compiled.get(page.file);
  if (!template) {
    template = compile(page.template);
    compiled.set(page.file, template);
  }
  return template;
}

const compile = (text: string): Handlebars.TemplateDelegate =>
  compiler.compile(escapedProgram(text), { noEscape: true, strict: true });

/** The names available to a page, each a fact or a placeholder. */
function contextOf(page: Page, facts: RunbookFacts): Record<string, unknown> {
  const place = placeOf(facts);
  const { answers: _, labels = {}, certificates = [], links = [], observed = [], ...plain } = facts;
  const queries = (texts: readonly string[] = []) => texts.map((t) => ({ query: new Query(t) }));
  const proxies = facts.proxies?.length ? facts.proxies.join(',') : undefined;
  // As `kubectl rollout` accepts several names.
  const callers = facts.callers?.length
    ? facts.callers.map((name) => `deploy/${name}`).join(' ')
    : undefined;
  const given: Record<string, unknown> = {
    ...plain,
    ...place,
    proxies,
    callers,
    alert: facts.alert ?? labels.alertname ?? page.name,
    slo: facts.slo ?? labels.slo,
    owner: facts.owner ?? labels.owner,
    severity: facts.severity ?? labels.severity,
    reason: labels.reason,
    instance: labels.instance,
    anchor: labels.anchor,
    window: parseDurationMs(facts.window ?? '') === undefined ? '5m' : facts.window,
    pki: facts.pki ?? 'pki',
    slos: facts.slos ?? 'slo/',
    prometheus: facts.prometheus ?? 'http://localhost:9090',
  };
  const context: Record<string, unknown> = {};
  for (const name of factNames) {
    context[name] = given[name] ?? new Placeholder(name.toUpperCase());
  }
  const has = Object.fromEntries(factNames.map((name) => [name, given[name] !== undefined]));
  const skip = new Set(['alertname', 'severity', 'service', 'namespace', 'slo', 'owner']);
  return {
    ...context,
    has,
    mesh: facts.mesh ?? true,
    ownBad: queries(facts.ownBad),
    ownPresent: queries(facts.ownPresent),
    title: page.title,
    certificates,
    links,
    observed: observed.map((fact) => ({ command: '', ...fact })),
    labels: Object.entries(labels)
      .filter(([name]) => !skip.has(name))
      .map(([name, value]) => ({ name, value })),
  };
}

/** Every name that a template may use between braces, without lists. */
export const factNames: readonly string[] = [
  'alert',
  'severity',
  'summary',
  'description',
  'startedAt',
  'value',
  'service',
  'namespace',
  'workload',
  'callers',
  'owner',
  'slo',
  'proxies',
  'controller',
  'prometheus',
  'pki',
  'trustDomain',
  'config',
  'slos',
  'window',
  'reason',
  'instance',
  'anchor',
  'burns',
];

/** The page as Markdown. */
export function renderPage(page: Page, facts: RunbookFacts = {}): string {
  const text = templateOf(page)(contextOf(page, facts));
  const tidy = text.replaceAll(/\n{3,}/g, '\n\n').trim();
  return `${withAnswers(numbered(tidy), facts)}\n`;
}

/** Numbers the steps of a diagnosis, so that people can refer to them. */
function numbered(markdown: string): string {
  let step = 0;
  let inside = false;
  return markdown.replaceAll(/^(##|###) (.*)$/gm, (whole, marks: string, title: string) => {
    if (marks === '##') inside = title === 'Diagnosis';
    return marks === '###' && inside ? `### ${++step}. ${title}` : whole;
  });
}

/** The runbook of a fired alert; undefined if no page answers it. */
export function renderRunbook(alert: string, facts: RunbookFacts = {}): string | undefined {
  const isSlo = facts.slo !== undefined || facts.labels?.slo !== undefined;
  const page = pageFor(readPages(), alert, isSlo);
  return page && renderPage(page, { ...facts, alert });
}

const fences = /```promql\n([^]*?)\n```/g;

/** The queries of a rendered page. */
export const queriesOf = (markdown: string): string[] =>
  [...markdown.matchAll(fences)].map((m) => m[1] as string);

/** Maximum number of rows shown of an answer. */
const rowsMax = 10;

type Series = NonNullable<RunbookFacts['answers']>[string];

const nameOf = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .filter(([k]) => k !== '__name__')
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

function withAnswers(markdown: string, facts: RunbookFacts): string {
  const { answers = {}, answersBefore = {} } = facts;
  return markdown.replaceAll(fences, (whole, query: string) => {
    const series = answers[query];
    if (!series) return whole;
    const before = answersBefore[query];
    if (series.length === 0) return `${whole}\n\n${nothingText(before)}`;
    const head = before ? '| returned | value | before the alert |' : '| returned | value |';
    const rows = series.slice(0, rowsMax).map((row) => rowText(row, query, before, facts));
    const more = series.length > rowsMax ? `\n\nand ${series.length - rowsMax} more.` : '';
    return `${whole}\n\n${head}\n| --- | ---: |${before ? ' ---: |' : ''}\n${rows.join('\n')}${more}`;
  });
}

function nothingText(before: Series | undefined): string {
  if (!before) return 'Returned nothing.';
  if (before.length === 0) return 'Returned nothing, as before the alert.';
  return `**Returned nothing**, unlike before the alert: ${before.length} series.`;
}

/** A value that differs much from the one before the alert is bold. */
function rowText(
  { labels, value }: Series[number],
  query: string,
  before: Series | undefined,
  { startedAt }: RunbookFacts,
): string {
  const name = nameOf(labels);
  const text = (v: number): string => markdownText(answerText(query, v, startedAt));
  const row = `| ${name === '' ? 'all' : `\`${markdownCode(name)}\``} |`;
  if (!before) return `${row} ${text(value)} |`;
  const was = before.find((b) => nameOf(b.labels) === name)?.value;
  const isSame =
    was !== undefined && Math.abs(value - was) <= 0.5 * Math.max(Math.abs(value), Math.abs(was));
  const shown = isSame || Number.isNaN(value) ? text(value) : `**${text(value)}**`;
  return `${row} ${shown} | ${was === undefined ? 'nothing' : text(was)} |`;
}

/**
 * Formats a value by the unit in its query's metric name: a timestamp as a time, a ratio in per cent. A value without a
 * unit keeps its digits, because a rounded count is wrong.
 */
function answerText(query: string, value: number, startedAt: string | undefined): string {
  if (Number.isNaN(value)) return 'none (0 of 0)';
  if (!Number.isFinite(value)) return value > 0 ? 'infinite' : '-infinite';
  if (isInstant(query, value)) {
    const beforeMs = Date.parse(startedAt ?? '') - value * 1000;
    if (Number.isNaN(beforeMs)) return instantText(value * 1000);
    const when = `${timeText(Math.abs(beforeMs))} ${beforeMs >= 0 ? 'before' : 'after'} the alert`;
    return `${instantText(value * 1000)} (${when})`;
  }
  if (/(budget_remaining|sli_error\w*):ratio/.test(query)) return percentText(value);
  if (/burn_rate:ratio/.test(query)) return timesText(value);
  if (Number.isInteger(value)) return countText(value);
  return Math.abs(value) >= 1000
    ? value.toLocaleString('en', { maximumFractionDigits: 2 })
    : String(Number(value.toPrecision(4)));
}

/** Whether a value is a timestamp by the metric's name, and not a difference from now; from 2001 to 2128. */
const isInstant = (query: string, value: number): boolean =>
  /_timestamp_seconds|_time_seconds/.test(query) &&
  !/time\(\)|-|\b(count|rate|changes|delta)\b/.test(query.replaceAll(/"[^"]*"/g, '')) &&
  value > 1e9 &&
  value < 5e9;
