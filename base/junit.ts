/** JUnit XML, as CI systems read it: suites of cases, each passed, failed, in error or skipped. */
import { withoutUnseen } from './unseen.js';

export interface JunitCase {
  name: string;
  seconds: number;
  /** By what some CI systems group cases. */
  group?: string;
  /** Texts of one line or of several. */
  failures?: readonly string[];
  /** It could not be judged. */
  error?: string;
  /** Nothing happened that it could have been judged by. */
  skipped?: string;
}

export interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
  /** Those of its cases together, where it is absent. */
  seconds?: number;
  startedMs?: number;
  properties?: Readonly<Record<string, number>>;
}

/** A file of `suites`; `whole` names all of them together. */
export function junitXml(
  suites: readonly JunitSuite[],
  whole?: { name: string; seconds: number },
): string {
  const head = whole
    ? ` name="${escapeXml(whole.name)}" ${counts(suites.flatMap((s) => s.cases))} ` +
      `time="${seconds(whole.seconds)}"`
    : '';
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${head}>\n` +
    `${suites.map(suiteXml).join('')}</testsuites>\n`
  );
}

/** XML 1.0 has no way to write control characters or half of a surrogate pair. */
const escapeXml = (text: string): string =>
  withoutUnseen(text)
    .replaceAll(/[\ufffe\uffff]/g, ' ')
    .replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])/g, ' ')
    .replaceAll(/(?<![\ud800-\udbff])[\udc00-\udfff]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);

const seconds = (value: number): string => Math.max(0, value).toFixed(3);

function counts(cases: readonly JunitCase[]): string {
  const failed = cases.filter((c) => (c.failures ?? []).length > 0).length;
  const inError = cases.filter((c) => c.error !== undefined).length;
  const skipped = cases.filter((c) => c.skipped !== undefined).length;
  return `tests="${cases.length}" failures="${failed}" errors="${inError}" skipped="${skipped}"`;
}

function suiteXml({ name, cases, startedMs, properties, ...suite }: JunitSuite): string {
  const took = suite.seconds ?? cases.reduce((sum, c) => sum + c.seconds, 0);
  const rows = Object.entries(properties ?? {}).map(
    ([key, value]) => `      <property name="${escapeXml(key)}" value="${value}"/>\n`,
  );
  return (
    `  <testsuite name="${escapeXml(name)}" ${counts(cases)} time="${seconds(took)}"` +
    `${startedMs === undefined ? '' : ` timestamp="${instant(startedMs)}"`}>\n` +
    (rows.length > 0 ? `    <properties>\n${rows.join('')}    </properties>\n` : '') +
    `${cases.map(caseXml).join('')}  </testsuite>\n`
  );
}

/** Without a zone, as the format has it; the nearest instant that a date can hold. */
function instant(ms: number): string {
  const limitMs = 8.64e15;
  return new Date(Math.max(-limitMs, Math.min(limitMs, ms))).toISOString().slice(0, 19);
}

function caseXml(c: JunitCase): string {
  const group = c.group === undefined ? '' : `classname="${escapeXml(c.group)}" `;
  const head = `    <testcase ${group}name="${escapeXml(c.name)}" time="${seconds(c.seconds)}"`;
  const outcomes = [
    ...(c.failures ?? []).map((text) => outcomeXml('failure', text)),
    ...(c.error === undefined ? [] : [outcomeXml('error', c.error)]),
    ...(c.skipped === undefined ? [] : [outcomeXml('skipped', c.skipped)]),
  ];
  return outcomes.length === 0 ? `${head}/>\n` : `${head}>\n${outcomes.join('')}    </testcase>\n`;
}

/** The first line as the message; where there are more, all of them as its text. */
function outcomeXml(tag: string, text: string): string {
  const [first = '', ...more] = text.split('\n');
  const head = `      <${tag} message="${escapeXml(first)}"`;
  return more.length === 0 ? `${head}/>\n` : `${head}>${escapeXml(text)}</${tag}>\n`;
}
