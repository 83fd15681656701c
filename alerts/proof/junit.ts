/** JUnit XML: what CI systems show of a test run. */

export interface JunitCase {
  name: string;
  seconds: number;
  /** One a failure. */
  failures: string[];
}

export interface JunitSuite {
  name: string;
  cases: JunitCase[];
  /** The suite could not run at all. */
  error?: string;
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

// Control characters cannot stand in XML at all.
const escape = (text: string): string =>
  text
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd')
    .replace(/[&<>"]/g, (c) => escapes[c] as string);

const attribute = (text: string): string => escape(text).replaceAll('\n', '&#10;');

export function junitXml(suites: readonly JunitSuite[]): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>'];
  for (const suite of suites) {
    const failed = suite.cases.filter((c) => c.failures.length > 0).length;
    const errors = suite.error === undefined ? 0 : 1;
    const seconds = suite.cases.reduce((sum, c) => sum + c.seconds, 0);
    lines.push(
      `  <testsuite name="${attribute(suite.name)}" tests="${suite.cases.length + errors}" ` +
        `failures="${failed}" errors="${errors}" time="${seconds.toFixed(3)}">`,
    );
    if (suite.error !== undefined) {
      lines.push('    <testcase name="the file can be read" time="0">');
      lines.push(
        `      <error message="${attribute(firstLine(suite.error))}">${escape(suite.error)}</error>`,
      );
      lines.push('    </testcase>');
    }
    for (const test of suite.cases) {
      lines.push(`    <testcase name="${attribute(test.name)}" time="${test.seconds.toFixed(3)}">`);
      for (const failure of test.failures) {
        lines.push(
          `      <failure message="${attribute(firstLine(failure))}">${escape(failure)}</failure>`,
        );
      }
      lines.push('    </testcase>');
    }
    lines.push('  </testsuite>');
  }
  return `${[...lines, '</testsuites>'].join('\n')}\n`;
}

const firstLine = (text: string): string => text.split('\n', 1)[0] as string;
