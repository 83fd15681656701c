/** JUnit XML for CI systems: suites of cases, each passed, failed, in error or skipped. */
import { withoutUnseen } from './unseen.js';

export interface JunitCase {
  name: string;
  seconds: number;
  /** Group of the case in CI systems that support groups. */
  group?: string;
  /** Each text has one line or several. */
  failures?: readonly string[];
  /** The reason why the case could not be judged. */
  error?: string;
  /** The reason why there was nothing to judge. */
  skipped?: string;
}

export interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
  /** Absent: the sum over the cases. */
  seconds?: number;
  startedMs?: number;
  properties?: Readonly<Record<string, number>>;
}

/** A file of `suites`; `whole` is the name for all of them. */
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

/** XML 1.0 cannot represent control characters or half of a surrogate pair. */
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

/** A time without a zone, as the format requires; clamped to the range of dates. */
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

/** The first line is the message; several lines become the element's text as well. */
function outcomeXml(tag: string, text: string): string {
  const [first = '', ...more] = text.split('\n');
  const head = `      <${tag} message="${escapeXml(first)}"`;
  return more.length === 0 ? `${head}/>\n` : `${head}>${escapeXml(text)}</${tag}>\n`;
}
