/** Typical mistakes: each gets an answer with its place and the expected input, and nothing is written. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import { program } from '../../base/paths.js';
import { parseStep, parseTimeScale } from '../../slo/rules/generate.js';
import { listFiles, readSloText } from '../../slo/index.js';

const own = (slo: string, head = ''): string =>
  `apiVersion: firedrill.dev/v1\nservice: pay\n${head}slos:\n  - name: a\n${slo}`;
const sli = '    sli: {events: {bad: errors_total, total: requests_total}}\n';
const good = `    objective: 99.9\n${sli}`;
const events = (bad: string, total = 'requests_total'): string =>
  own(
    `    objective: 99.9\n    sli:\n      events:\n        bad: ${bad}\n        total: ${total}\n`,
  );
const sliOf = (sli: string): string => own(`    objective: 99\n    sli: ${sli}\n`);
const openSlo = (spec: string): string =>
  `apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec:\n  service: pay\n${spec}`;
const openSloRest =
  '  timeWindow: [{duration: 30d, isRolling: true}]\n  budgetingMethod: Occurrences\n' +
  '  objectives: [{target: 0.99}]\n';
const bomb = `a: &a [x, x, x, x, x, x, x, x, x, x]\n${[...'bcdefgh']
  .map(
    (c, i) =>
      `${c}: &${c} [${Array(10)
        .fill(`*${String.fromCharCode(97 + i)}`)
        .join(', ')}]\n`,
  )
  .join('')}`;

/** Name of the mistake, the text, and a pattern of the answer. */
const mistakes: [string, string, RegExp][] = [
  ['an unknown field', own(`${good}    windw: 30d\n`), /x:7:5: unknown field 'windw'/],
  ['an unknown field at the top', `sevrice: x\n${own(good)}`, /x:1:1: unknown field 'sevrice'/],
  ['an objective of 0', own(`    objective: 0\n${sli}`), /x:5:16: .*more than 0/],
  ['an objective of 100', own(`    objective: 100\n${sli}`), /x:5:16: .*less than 100/],
  ['an objective above 100', own(`    objective: 999\n${sli}`), /x:5:16: .*less than 100/],
  ['an objective with a sign', own(`    objective: "99.9%"\n${sli}`), /x:5:16: .*such as 99\.9/],
  ['an objective that is a word', own(`    objective: high\n${sli}`), /x:5:16: .*number/],
  [
    'an owner that is half a template',
    own(good, "owner: 'te{{am'\n"),
    /x:3:8: owner: bad template/,
  ],
  ['no objective', own(sli), /x:4:5: .*objective.*number/],
  ['no SLI', own('    objective: 99\n'), /x:4:5: slos\.0\.sli/],
  [
    'two SLIs',
    own('    objective: 99\n    sli: {probe: up, mesh: {sli: M1}}\n'),
    /x:6:10: .*exactly one/,
  ],
  [
    'bad and good both',
    own('    objective: 99\n    sli: {events: {bad: a, good: b, total: c}}\n'),
    /x:6:19: .*not both/,
  ],
  [
    'neither bad nor good',
    own('    objective: 99\n    sli: {events: {total: c}}\n'),
    /x:6:19: .*either bad or good/,
  ],
  ['PromQL that does not parse', events('sum(rate(x[{{.window}}])'), /x:8:38: .*(parse|early)/],
  ['a matcher without a value', events("'errors_total{code=}'"), /x:8:33: .*parse/],
  ['a fixed range', events('rate(errors_total[5m])'), /x:8:14: .*fixed range/],
  ['no range at all', events('sum(errors_total)'), /x:8:14: .*\{\{\.window\}\}/],
  ['an empty query', events('""'), /x:8:1[45]: .*empty/],
  [
    'a window that we have not',
    own(`${good}    window: 36h\n`),
    /x:7:13: .*whole days from 1d to 366d/,
  ],
  [
    'a unit that is none',
    own('    objective: 99\n    sli: {latency: {histogram: h, threshold: 300mss}}\n'),
    /x:6:46: .*duration/,
  ],
  [
    'a threshold with no unit',
    own('    objective: 99\n    sli: {latency: {histogram: h, threshold: 300}}\n'),
    /x:6:46: .*duration/,
  ],
  [
    'a threshold between buckets',
    own(
      '    objective: 99\n    sli: {latency: {histogram: h, threshold: 300ms, buckets: [0.1, 0.25, 0.5]}}\n',
    ),
    /x:6:46: .*0\.3 is no bucket boundary; expected 0\.25 or 0\.5/,
  ],
  [
    "a threshold between the mesh's buckets",
    own('    objective: 99\n    sli: {mesh: {sli: M2, threshold: 250ms}}\n'),
    /x:6:38: .*250 is no bucket boundary; expected 200 or 300/,
  ],
  ['a threshold that is no vector', sliOf("{threshold: {value: 'time()', bad: '> 1'}}"), /scalar/],
  ['a threshold over a range', sliOf("{threshold: {value: 'x[5m]', bad: '> 1'}}"), /range vector/],
  ['half a number', sliOf("{threshold: {value: x, bad: '> 1e'}}"), /a comparison/],
  [
    'half a matcher of a ready SLI',
    sliOf(`{mesh: {sli: M1, match: 'dst="a'}}`),
    /x:6:42: .*expected matchers/,
  ],
  ['a selector as matchers', sliOf('{mesh: {sli: M1, match: \'{a="b"}\'}}'), /x:6:3\d: .*matchers/],
  [
    'a threshold where there is none',
    sliOf('{mesh: {sli: M1, threshold: 1}}'),
    /of M1; expected none/,
  ],
  ['a duration for a share', sliOf('{mesh: {sli: M5, threshold: 1s}}'), /of M5; expected a number/],
  [
    'a direction where there is none',
    sliOf('{mesh: {sli: M3, direction: inbound}}'),
    /of M3; .*none/,
  ],
  [
    "a bucket that the controller's histogram lacks",
    sliOf('{mesh: {sli: M8, threshold: 3s}}'),
    /2\.5 or 5/,
  ],
  ['a latency of nothing', sliOf('{latency: {histogram: h, threshold: 0s}}'), /a threshold of 0/],
  [
    'a bucket beside the threshold',
    sliOf(`{latency: {histogram: 'h{job="a", le="0.5"}', threshold: 1s}}`),
    /a matcher of le/,
  ],
  ['half a template as region', own(good, "region: '{{ a'\n"), /x:3:9: region: bad template/],
  [
    'an annotation with a dash',
    own(`${good}    alerting: {annotations: {a-b: c}}\n`),
    /x:7:35: .*letters, digits and underscores/,
  ],
  [
    'groups by a label of the rules',
    own(`${good}    groupBy: {labels: [severity]}\n`),
    /x:4:5: pay-a is grouped by severity/,
  ],
  [
    'groups by a label of the alerts',
    own(`${good}    groupBy: {labels: [region]}\n`, 'region: eu\n'),
    /x:5:5: pay-a is grouped by region/,
  ],
  [
    "groups by a severity's label",
    own(`${good}    groupBy: {labels: [desk]}\n    alerting: {page: {labels: {desk: a}}}\n`),
    /x:4:5: pay-a is grouped by desk/,
  ],
  [
    "a label of Pyrra's that is none",
    `apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: a, labels: {pyrra.dev/a-b: c}}\n` +
      'spec:\n  target: "99"\n  window: 2w\n  indicator: {ratio: {errors: {metric: e}, total: {metric: t}}}\n',
    /x:3:45: label a-b: not the name of a label/,
  ],
  [
    'slices that do not divide',
    own(
      '    objective: 99\n    sli: {slices: {length: 7m, target: 99, events: {bad: a, total: b}}}\n',
    ),
    /x:6:28: .*do not divide/,
  ],
  [
    'a window not of whole steps',
    own(`${good}    alerting: {windows: [{severity: page, factor: 2, long: 1h1s}]}\n`),
    /x:7:26: .*whole steps/,
  ],
  [
    'a short window that is longer',
    own(`${good}    alerting: {windows: [{severity: page, factor: 2, long: 1h, short: 2h}]}\n`),
    /x:7:26: .*not shorter/,
  ],
  [
    'a label of the rules',
    own(`${good}    labels: {severity: high}\n`),
    /x:7:24: .*set by the rules/,
  ],
  ['a label name with a dash', own(`${good}    labels: {my-team: a}\n`), /x:7:23: .*label name/],
  ['a label that is a list', own(`${good}    labels: {tier: [1]}\n`), /x:7:20: .*text/],
  [
    'the same name twice',
    `${own(good)}---\n${own(good)}`,
    /x:11:5: .*pay-a is defined twice \(first at x:4\)/,
  ],
  ['a key twice', own(`    objective: 99\n    objective: 98\n${sli}`), /x:6:5: .*unique/],
  ['a bad indent', own('    objective: 99\n   sli: M1\n'), /x:6:/],
  ['a tab', 'apiVersion: firedrill.dev/v1\nslos:\n\t- name: a\n', /x:3:1: .*[Tt]ab/],
  ['an alias of nothing', own(`    objective: *missing\n${sli}`), /x:.*[Uu]nresolved alias/],
  ['billion laughs', bomb, /x:1:1: .*alias/],
  ['another format', 'apiVersion: v2\nkind: SLO\n', /x:1:13: unknown format 'v2'; expected one of/],
  ['no format', 'foo: 1\n', /x:1:1: .*which format/],
  ['a list', '- a\n- b\n', /x:1:1: .*which format/],
  ['nothing', '# only a comment\n', /no SLO was found/],
  ['a runbook that is no URL', own(`${good}    runbook: wiki\n`), /x:7:14: .*URL/],
  [
    'a composite of the unknown',
    own('    objective: 99\n    sli: {composite: [{slo: b}, {slo: c}]}\n'),
    /x:6:23: .*composed of b, which is not defined/,
  ],
  [
    'a composite of one',
    own('    objective: 99\n    sli: {composite: [{slo: b}]}\n'),
    /x:6:22: .*at least two/,
  ],
  ['a name with a space', own(good).replace('name: a', 'name: a b'), /x:4:11: .*letters, digits/],
  [
    'an empty list',
    'apiVersion: firedrill.dev/v1\nservice: pay\nslos: []\n',
    /x:3:7: .*at least one/,
  ],
  [
    "a plugin of Sloth's",
    'version: prometheus/v1\nservice: s\nslos:\n  - name: a\n    objective: 99\n    sli:\n' +
      '      plugin: {id: x}\n    alerting: {}\n',
    /x:7:7: Sloth's SLI plug-ins \(x\) are Go code/,
  ],
  [
    "Sloth's query without the window",
    'version: prometheus/v1\nservice: s\nslos:\n  - name: a\n    objective: 99\n    sli:\n' +
      '      events:\n        error_query: sum(rate(a[5m]))\n' +
      '        total_query: sum(rate(b[{{.window}}]))\n    alerting: {}\n',
    /x:8:22: .*fixed range/,
  ],
  [
    'a reference to nothing',
    openSlo(`  indicatorRef: sli-b\n${openSloRest}`),
    /x:6:17: no SLI is called 'sli-b'/,
  ],
  ['a quarter', openSlo(`  indicatorRef: b\n${openSloRest.replace('30d', '1Q')}`), /1Q|no SLI/],
  [
    'a composite of OpenSLO',
    openSlo(
      '  indicatorRef: b\n  timeWindow: [{duration: 30d}]\n  budgetingMethod: Occurrences\n' +
        '  objectives: [{target: 0.9, compositeWeight: 2}]\n',
    ),
    /a composite, which adds up burn rates/,
  ],
  [
    "Pyrra's window of half days",
    'apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n' +
      '  target: "99"\n  window: 36h\n  indicator: {ratio: {errors: {metric: a}, total: {metric: b}}}\n',
    /x:6:11: .*'36h'; expected whole days/,
  ],
  [
    "Pyrra's target without quotes",
    'apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n' +
      '  target: 99\n  window: 4w\n  indicator: {ratio: {errors: {metric: a}, total: {metric: b}}}\n',
    /x:5:11: .*text/,
  ],
];

test('there are at least forty', () => expect(mistakes.length).toBeGreaterThanOrEqual(40));

test.each(mistakes)('%s', (_, text, answer) => {
  let said = 'accepted';
  try {
    readSloText('x', text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.exitCode).toBe(2);
    said = error.message;
  }
  expect(said).toMatch(answer);
});

test.each(['0', '2', '1/0', 'half', '-1'])('a time scale of %s is refused', (text) => {
  expect(() => parseTimeScale(text)).toThrow(/expected a ratio such as 1\/120/);
});

test.each(['7s', '45s', '5x', '0'])('a step of %s is refused', (text) => {
  expect(() => parseStep(text)).toThrow(/expected a duration that divides/);
});

describe('from the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-bad-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const firedrill = (...args: string[]) =>
    spawnSync(process.execPath, [program('cli'), 'slo', ...args], { encoding: 'utf8' });

  test('one bad file of two: exit 2, its place, no stack, and nothing written', () => {
    writeFileSync(join(folder, 'a.yaml'), own(good));
    writeFileSync(join(folder, 'b.yaml'), own('    objective: 100\n').replace('pay', 'cart'));
    const run = firedrill('generate', '-i', folder, '-o', join(folder, 'out'));
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('b.yaml:5:16: ');
    expect(run.stderr).not.toContain('    at ');
    expect(existsSync(join(folder, 'out'))).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['a.yaml', 'b.yaml']);
  });

  test('a link that leads to no page is refused, and its own placeholders are not', () => {
    const link = (url: string) =>
      firedrill('generate', '-i', join(folder, 'a.yaml'), '-o', '-', '--runbook-url', url);
    expect(link('https://x/{{alertname}}')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--runbook-url: bad template: function "alertname"'),
    });
    expect(link('https://x/{{alert}}?a={{ $labels.a }}').status).toBe(0);
  });

  test('a folder as Kubernetes mounts it: files are links into a hidden folder', () => {
    const mount = join(folder, 'mount');
    makeFolder(join(mount, '..2026'));
    writeFileSync(join(mount, '..2026', 'a.yaml'), own(good));
    symlinkSync('..2026', join(mount, '..data'));
    symlinkSync('..data/a.yaml', join(mount, 'a.yaml'));
    expect(listFiles([mount])).toEqual([join(mount, 'a.yaml')]);
    symlinkSync('gone.yaml', join(mount, 'b.yaml'));
    expect(firedrill('validate', mount).stderr).toContain(`${join(mount, 'b.yaml')}: no such file`);
    rmSync(mount, { recursive: true });
  });

  test('a file that is not there', () => {
    const run = firedrill('validate', join(folder, 'none.yaml'));
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('no such file')]);
  });

  test('an unreachable Prometheus is exit 5, and said in a sentence', () => {
    const url = 'http://127.0.0.1:9';
    const run = firedrill('gate', '-i', join(folder, 'a.yaml'), '--prometheus', url);
    expect(run.status).toBe(5);
    expect(run.stderr).toContain(`Prometheus at ${url} cannot be reached`);
  });
});
