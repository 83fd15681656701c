/**
 * All that is said of an SLO and made of it, beside its rules at production's scale: explanations, differences, rules
 * of other options, outputs, queries, steps of the past, and refusals. UPDATE=1 rewrites the golden files.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { formatProblem } from '../../base/errors.js';
import { packageRoot } from '../../base/paths.js';
import {
  type CompileOptions,
  compileSlos,
  readSlos,
  readSloText,
  ruleFileText,
  type Slo,
  theoryOf,
} from '../../slo/index.js';
import { backfillLines } from '../../slo/rules/backfill.js';
import { deadPages } from '../../slo/rules/dead-pages.js';
import { diffSlos } from '../../slo/rules/diff.js';
import { explain, explanationText, roughly } from '../../slo/rules/explain.js';
import {
  compileFlags,
  parsePeriod,
  registerBackfill,
  registerGenerate,
} from '../../slo/rules/generate-command.js';
import {
  checkLinks,
  generate,
  parseLabels,
  parseQueryOffset,
  parseStep,
  parseTimeScale,
} from '../../slo/rules/generate.js';
import { splitHistogram } from '../../slo/rules/increments.js';
import { outputFiles, outputFormats, prometheusRules } from '../../slo/rules/outputs.js';
import { ownQueries } from '../../slo/rules/own-queries.js';
import { outagePagedAfterMs } from '../../slo/rules/false-pages.js';
import { stepExprsOf } from '../../slo/rules/step-exprs.js';
import { planOf } from '../../slo/rules/plan.js';
import { reachNotes, reachOf } from '../../slo/rules/reach.js';
import { readWindowTable, standardPeriods, standardWindows } from '../../slo/rules/windows.js';
import { groupsText, yamlScalar } from '../../slo/rules/write.js';

const folder = join(packageRoot, 'test/slo/told');
const golden = (name: string): string => join(packageRoot, 'test/slo/golden', name, 'in.yaml');
const read = (name: string): Slo[] => readSlos([golden(name)]);

function matchesGolden(name: string, lines: readonly string[]): void {
  const text = `${lines.join('\n')}\n`.replaceAll(`${packageRoot}/`, '');
  const file = join(folder, `${name}.txt`);
  if (process.env.UPDATE === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

/** The text of an answer, or of a refusal. */
function said(what: string, ask: () => unknown): string {
  try {
    return `${what}: ${JSON.stringify(ask()) ?? 'nothing'}`;
  } catch (error) {
    return `${what}: refused: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const inputs = ['kinds', 'guards', 'retail', 'sloth', 'openslo', 'pyrra'];
const options: Record<string, CompileOptions> = {
  plain: {},
  quick: { timeScale: 1 / 120, stepMs: 15_000, runbookUrl: 'https://r.example/{{alert}}' },
  odd: {
    timeScale: 0.3,
    stepMs: 60_000,
    runbookBase: 'https://b.example',
    dashboardUrl: 'https://d.example/{{slo}}',
  },
};

const ways = inputs.flatMap((name) => Object.keys(options).map((how) => [name, how] as const));

test.each(ways)('explained: %s, %s', (name, how) => {
  const slos = read(name);
  const rate = { plain: undefined, quick: 50, odd: 7200 }[how];
  const texts = slos.flatMap((slo) => {
    return [`== ${slo.id}`, explanationText(explain(slo, options[how], rate, slos))];
  });
  matchesGolden(`explained-${name}-${how}`, texts);
});

test('explanations of one SLO by itself, and of its alerts that are switched off', () => {
  const kinds = read('kinds');
  const [events] = kinds as [Slo];
  const one = kinds.find((slo) => slo.id === 'shop-composite')!;
  const off = { ...events, alerting: { ...events.alerting, page: false, ticket: false } } as Slo;
  const few = { ...events, objective: 80 };
  const grouped = kinds.find((slo) => slo.id === 'shop-threshold')!;
  const by = compileSlos([{ ...grouped, groupBy: ['job', 'pod'] }]);
  const times = [1, 999, 1000, 1499, 3_599_499, 3_599_500, 3_600_000, 3_629_999, 3_630_000];
  const outages = [0, 0.01, 1, 20, 5000].map((rate) => {
    const ms = [events, off, { ...events, alerting: { ...events.alerting, minEvents: 50 } }];
    return ms.map((slo) => `${rate} an hour: ${outagePagedAfterMs(slo as Slo, rate)}`).join('; ');
  });
  const all = new Map(kinds.map((slo) => [slo.id, slo]));
  const lines = [
    explanationText(explain(one)),
    explanationText(explain(off)),
    explanationText(explain(few)),
    ruleFileText(by),
    ...times.map((ms) => `${ms} ms is ${roughly(ms)}`),
    ...outages,
    said('a part is missing', () => reachOf(one, new Map([[events.id, events]])) ?? 'nothing'),
    said('of itself', () => {
      const sli = { kind: 'composite', by: 'chain', parts: [{ slo: 'shop-either', weight: 1 }] };
      const either = { ...all.get('shop-either')!, sli } as Slo;
      return stepExprsOf(either, new Map([['shop-either', either]]), {});
    }),
  ];
  matchesGolden('explained-alone', lines);
});

test.each(['kinds', 'guards'])('in theory: %s', (name) => {
  const steps = [
    { baseline: 0, errorRatio: 1 },
    { baseline: 0.001, errorRatio: 0.2, trafficRatio: 0.5, scrapeIntervalMs: 5000 },
    { baseline: 0, errorRatio: 0.05, durationMs: 600_000, historyMs: 1_800_000 },
  ];
  const lines = read(name).flatMap((slo) =>
    steps.flatMap((step, i) =>
      (['page', 'ticket'] as const).flatMap((severity) =>
        Object.keys(options).map((how) => {
          const theory = theoryOf(slo, severity, step, options[how]);
          return `${slo.id} ${i} ${severity} ${how}: ${JSON.stringify(theory)}`;
        }),
      ),
    ),
  );
  matchesGolden(`theory-${name}`, lines);
});

test.each([
  ['kinds', 'odd', /grouped|slices|probe|seasonal/],
  ['guards', 'quick', /./],
] as const)('compiled by other options: %s', (name, how, ids) => {
  const slos = read(name).filter(({ id }) => ids.test(id));
  matchesGolden(`compiled-${name}`, [ruleFileText(compileSlos(slos, options[how]))]);
});

test('what an edit of an SLO changes', () => {
  const before = [...read('guards'), ...read('kinds')];
  const [guarded] = read('guards') as [Slo];
  const edits: Partial<Slo>[] = [
    { objective: 99 },
    { period: { days: 30 } },
    { period: { days: 30, calendar: 'month' } } as Partial<Slo>,
    { owner: 'team-y' },
    { owner: undefined, labels: { owner: 'team-z' } } as unknown as Partial<Slo>,
    { labels: { tier: '1' } },
    { groupBy: ['job'] },
    {
      sli: { kind: 'events', bad: 'sum(rate(x[{{.window}}]))', total: 'requests_total' },
    } as Partial<Slo>,
    { alerting: { ...guarded.alerting, page: false } },
    { alerting: { ...guarded.alerting, minEvents: 1000 } },
    { alerting: { ...guarded.alerting, annotations: { z: '1', a: '2' } } },
  ];
  const lines = edits.flatMap((edit) => [
    `== ${JSON.stringify(edit)}`,
    ...diffSlos([guarded], [{ ...guarded, ...edit } as Slo]).map((c) => JSON.stringify(c)),
  ]);
  const all = diffSlos(before, [...read('kinds').slice(2), ...read('retail')], { stepMs: 15_000 });
  matchesGolden('differences', [...lines, ...all.map((c) => JSON.stringify(c))]);
});

test('outputs in every format', () => {
  const parts = [
    { name: 'Shop_1', groups: compileSlos(read('guards').slice(0, 1)) },
    { name: 'slo-night', groups: [] },
    { name: 'true', groups: [{ name: 'no', limit: 5, queryOffsetMs: 60_000, rules: [] }] },
  ];
  const lines = outputFormats.flatMap((format) =>
    [...outputFiles(parts, format, '1st')].map(([name, text]) => `== ${format} ${name}\n${text}`),
  );
  const big = {
    name: 'g',
    rules: [{ kind: 'record' as const, record: 'a', expr: 'x'.repeat(240_000), labels: {} }],
  };
  const sizes = prometheusRules({ name: 'Big', groups: [big, big, big, big, big, big, big] }, 'm');
  lines.push(...sizes.map((text) => `${text.length} ${/name: .*/.exec(text)?.[0]}`));
  const scalars = ['a', 'Yes', 'null', 'y', 'yes-1', '1a', 'a b', '_x.y/z-1', '', '-a', 'on:', 'ä'];
  const quoted = scalars.map((text) => `${text} is ${yamlScalar(text)}`);
  const record = { kind: 'record' as const, record: 'a:b', expr: 'x\n+ y', labels: {} };
  const alert = {
    kind: 'alert' as const,
    alert: 'An alert',
    expr: 'x > 1',
    forMs: 60_000,
    keepFiringForMs: 120_000,
    labels: { b: '1', a: 'on' },
    annotations: { text: 'a\nb' },
  };
  const now = { ...alert, alert: 'now', forMs: 0, keepFiringForMs: 0 };
  const groups = [{ name: 'g', intervalMs: 30_000, rules: [record, alert, now] }];
  matchesGolden('outputs', [...lines, ...quoted, groupsText(groups, '    '), groupsText([])]);
});

test('files that are generated, and what is refused', () => {
  const out = mkdtempSync(join(tmpdir(), 'firedrill-told-'));
  const usual = { inputs: [golden('guards'), golden('retail')], compile: {}, namespace: 'm' };
  const make = (more: object): string => {
    const target = join(out, String(readdirSync(out).length));
    const given = { ...usual, format: 'rules' as const, out: target, ...more };
    const text = said(JSON.stringify(more), () => generate(given));
    return text.replaceAll(out, 'OUT');
  };
  const lines = [
    make({}),
    make({ out: join(out, 'one.yaml') }),
    make({
      out: join(out, 'two.yml'),
      labels: { cluster: 'eu', slo: 'no' },
      queryOffsetMs: 60_000,
    }),
    make({ format: 'kustomize' }),
    make({ format: 'xml' }),
    make({ inputs: [join(out, 'none.yaml')] }),
    make({ out: '/dev/null/x' }),
  ];
  const texts = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => {
      const text = readFileSync(file, 'utf8');
      return `== ${file.replace(out, 'OUT')}, ${text.split('\n').length} lines\n${text.slice(0, 700)}`;
    });
  rmSync(out, { recursive: true });
  matchesGolden('generated', [...lines, ...texts]);
});

/** A command run in this process: the error or the exit code, and its output. */
async function ran(...args: string[]): Promise<string> {
  const written: string[] = [];
  const streams = [process.stdout, process.stderr];
  const before = streams.map((stream) => stream.write);
  for (const stream of streams) {
    stream.write = ((text: string) => written.push(String(text)) > 0) as typeof stream.write;
  }
  const exitBefore = process.exitCode;
  process.exitCode = undefined;
  let end = 'done';
  try {
    const slo = new Command('slo').exitOverride();
    registerGenerate(slo);
    registerBackfill(slo);
    for (const command of slo.commands) command.exitOverride();
    await slo.parseAsync(args, { from: 'user' });
  } catch (error) {
    end = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } finally {
    streams.forEach((stream, i) => (stream.write = before[i]!));
  }
  const code = process.exitCode ?? 0;
  process.exitCode = exitBefore;
  return [`== ${args.join(' ')}`, `${end}, ${code}`, ...written].join('\n');
}

test('the commands, in this process', async () => {
  const out = mkdtempSync(join(tmpdir(), 'firedrill-commands-'));
  const file = golden('guards');
  const bad = join(out, 'bad.yaml');
  writeFileSync(bad, 'apiVersion: firedrill.dev/v1\nservice: a\nslos: [{ name: b }]\n');
  const half = join(out, 'half.yaml');
  // A second SLO of another source than Prometheus: valid, and not supported.
  const source = '{ metricSource: { type: Datadog, spec: { query: q } } }';
  const ratio = `{ counter: true, bad: ${source}, total: ${source} }`;
  const foreign = readFileSync(golden('openslo'), 'utf8')
    .replace('metadata: { name: pay-availability', 'metadata: { name: pay-other')
    .replace(
      'indicatorRef: pay-errors',
      `indicator: { metadata: { name: i }, spec: { ratioMetric: ${ratio} } }`,
    )
    .split('---\n')
    .find((text) => text.includes('pay-other'));
  writeFileSync(half, `${readFileSync(golden('openslo'), 'utf8')}\n---\n${foreign}`);
  // Cut without the folders' names, whose lengths differ from machine to machine.
  const begin = (text: string, length: number): string =>
    text.replaceAll(out, 'OUT').replaceAll(`${packageRoot}/`, '').slice(0, length);
  const rules = (more: string[], to = 'r.yaml') =>
    ran('generate', '-i', file, '-o', to === '-' ? to : join(out, to), ...more);
  const back = (from: string, to: string) =>
    ran('backfill', '-i', file, '-o', join(out, 'x'), '--from', from, '--to', to);
  const texts = [
    await ran('generate', '--help'),
    await ran('validate', '--help'),
    await ran('backfill', '--help'),
    await ran('generate', '-i', file),
    await rules([]),
    await rules(['--format', 'mimir', '--label', 'cluster=eu', '--query-offset', '1m'], 'folder'),
    begin(await rules(['--time-scale', '1/120', '--period', '7d'], '-'), 3000),
    begin(
      await ran('generate', '-i', golden('retail'), file, '-o', '-', '--format', 'prometheusrule'),
      1500,
    ),
    await rules(['--format', 'xml']),
    await rules(['--step', '7s']),
    await ran('generate', '-i', half, '-o', join(out, 'half-out.yaml')),
    await ran('validate', file),
    await ran('validate', file, '--format', 'json'),
    await ran('validate', bad),
    await ran('validate', bad, '--format', 'json'),
    await ran('validate', half),
    await ran('validate', half, '--format', 'json'),
    await ran('validate', golden('kinds')),
    await back('2026-05-02', '2026-05-01'),
    await back('2026-05-01', 'x'),
    await back('2026-05-01', '2999-01-01'),
  ];
  rmSync(out, { recursive: true });
  matchesGolden(
    'commands',
    texts.map((text) => text.replaceAll(out, 'OUT')),
  );
});

test('options that are read, or refused', async () => {
  const ask = {
    label: (text: string) => parseLabels([text]),
    'query-offset': parseQueryOffset,
    'time-scale': parseTimeScale,
    step: parseStep,
    period: parsePeriod,
  };
  const texts: Record<keyof typeof ask, string[]> = {
    label: ['a=b', 'a=b=c', 'a=', '=b', 'a', '1a=b', 'slo=x', 'severity=x', 'a=b\nc'],
    'query-offset': ['0s', '1m', '1h', '61m', 'x', ''],
    'time-scale': [
      '1',
      '1/120',
      '0.01',
      '1.0',
      '2/1',
      '0',
      '1/0',
      '-1',
      '1/',
      'a',
      '1.',
      '10/20.5',
    ],
    step: ['30s', '15s', '10s', '1m', '2m', '1s', '500ms', '7s', '4m', '5m', 'x'],
    period: ['month', '28d', '12w', '0d', 'year', '30', '1h'],
  };
  const lines = Object.entries(texts).flatMap(([option, all]) =>
    all.map((text) => said(`--${option} ${text}`, () => ask[option as keyof typeof ask](text))),
  );
  lines.push(said('two labels', () => parseLabels(['a=1', 'b=2', 'a=3'])));
  for (const url of [
    'https://x/{{alert}}',
    '{{slo}}{{service}}',
    '{{ $labels.a }}',
    '{{',
    '{{bad',
  ]) {
    for (const flag of ['runbookUrl', 'runbookBase', 'dashboardUrl']) {
      lines.push(said(`${flag} ${url}`, () => checkLinks({ [flag]: url })));
    }
  }
  const flags = { timeScale: '1/2', step: '15s' };
  lines.push(JSON.stringify(await compileFlags(flags)));
  const links = { runbookUrl: 'https://u', runbookBase: 'https://b', dashboardUrl: 'https://d' };
  lines.push(JSON.stringify(await compileFlags({ ...flags, ...links })));
  matchesGolden('options', lines);
});

test('windows of our own, of a user, and of Sloth', () => {
  const out = mkdtempSync(join(tmpdir(), 'firedrill-windows-'));
  const table = (text: string): string => {
    const file = join(out, 'windows.yaml');
    writeFileSync(file, text);
    return said(text, () => readWindowTable(file)).replaceAll(out, 'OUT');
  };
  const own = (alert: string, period = '30d') =>
    table(`period: ${period}\nalerts: [{ ${alert} }]\n`);
  const pair = (quick: string, slow = quick) => `{ quick: { ${quick} }, slow: { ${slow} } }`;
  const sloth = (page: string, ticket = page) =>
    table(
      'apiVersion: sloth.slok.dev/v1\nkind: AlertWindows\n' +
        `spec:\n  sloPeriod: 7d\n  page: ${page}\n  ticket: ${ticket}\n`,
    );
  const quick = 'errorBudgetPercent: 2, shortWindow: 5m, longWindow: 1h';
  const slow = 'errorBudgetPercent: 5, shortWindow: 30m, longWindow: 6h';
  const lines = [
    own('severity: page, budgetPercent: 2, long: 1h, short: 5m'),
    own('severity: ticket, budgetPercent: 100, long: 30d, short: 1h'),
    own('severity: page, budgetPercent: 0, long: 1h, short: 5m'),
    own('severity: page, budgetPercent: 101, long: 1h, short: 5m'),
    own('severity: info, budgetPercent: 2, long: 1h, short: 5m'),
    own('severity: page, budgetPercent: 2, long: 1h, short: 1h'),
    own('severity: page, budgetPercent: 2, long: 31d, short: 5m'),
    own('severity: page, budgetPercent: 2, long: 0s, short: 5m'),
    own('severity: page, budgetPercent: 2, long: x, short: 5m', 'x'),
    table('period: 30d\nalerts: []\n'),
    table(''),
    table('7\n'),
    sloth(pair(quick, slow)),
    sloth(pair(quick), pair(slow, 'errorBudgetPercent: 5, shortWindow: 6h, longWindow: 6h')),
    sloth(pair('errorBudgetPercent: 0, shortWindow: 5m, longWindow: 1h')),
    said('periods', standardPeriods),
  ];
  rmSync(out, { recursive: true });
  for (const days of [0.5, 1, 7, 14, 28, 30, 90]) {
    lines.push(said(`${days} days`, () => standardWindows(days)));
  }
  const [guarded] = read('guards') as [Slo];
  for (const pageAbove of [false, 1, 3, 14.4, 20] as const) {
    const slo = { ...guarded, alerting: { ...guarded.alerting, pageAbove } } as Slo;
    lines.push(said(`pages above ${pageAbove}`, () => planOf(slo).windows));
    lines.push(said('of a table', () => planOf(slo, { windows: standardWindows(7) }).windows));
  }
  matchesGolden('windows', lines);
});

test('pages that can never fire, and composites that cannot be reached', () => {
  const objectives = [99.9, 99, 93.05, 93.06, 66.6, 66.7, 50, 30];
  const text = (objective: number, more = '') =>
    `apiVersion: firedrill.dev/v1\nservice: a\nslos:\n  - { name: b, objective: ${objective}, ` +
    `sli: { events: { bad: x, total: y } }${more} }\n`;
  const of = (slos: readonly Slo[]): string =>
    deadPages(slos).map(formatProblem).join('; ') || 'can page';
  const more = ['', ', alerting: { pageAbove: false }', ', alerting: { page: false }'];
  more.push(', alerting: { trafficWeighted: true }');
  more.push(', alerting: { windows: [{ severity: ticket, factor: 200, long: 2h, short: 10m }] }');
  const lines = objectives.flatMap((objective) =>
    more.map((m) =>
      said(`${objective}%${m}`, () => of(readSloText('slo.yaml', text(objective, m)))),
    ),
  );
  const [high] = readSloText('slo.yaml', text(99));
  const slo = { ...high!, objective: 60 };
  lines.push(`bare: ${JSON.stringify(deadPages([{ ...slo, place: undefined } as never]))}`);
  lines.push(`of a table: ${JSON.stringify(deadPages([slo], standardWindows(7)))}`);
  const kinds = read('kinds').map((one) => ({
    ...one,
    objective: one.objective < 99 ? 99.5 : one.objective,
  }));
  lines.push(...reachNotes(kinds).map(formatProblem));
  matchesGolden('unreachable', lines);
});

test('queries of an SLO’s own events', () => {
  const lines = [...read('kinds'), ...read('guards')].flatMap((slo) =>
    compileSlos([slo])
      .flatMap((group) => group.rules)
      .filter((rule) => rule.expr.includes('label_replace'))
      .map((rule) => `${slo.id}: ${JSON.stringify(ownQueries(rule.expr))}`),
  );
  const counter = (of: string, role: string, label = 'counter'): string =>
    `label_replace(${of}, "${label}", "${role}", "", "")`;
  for (const expr of [
    'up',
    counter('x', 'bad', 'other'),
    `${counter('x{a="1"}', 'total')} or ${counter('y', 'good')}`,
    `${counter('x', 'total')} or ${counter('x{ok="1"}', 'good')}`,
    `${counter('x', 'total')} or ${counter('rate(x[5m])', 'bad1')} or ${counter('z', 'bad2')}`,
    'label_replace(x, "a", "b", "", "") or label_join(y, "a", "b")',
    counter('rate(\n   x[5m]\n)', 'total'),
    `${counter('{"a.b"}', 'total')} or ${counter('{"a.b", x="1"}', 'good')}`,
  ]) {
    lines.push(said(expr, () => ownQueries(expr)));
  }
  for (const selector of [
    'a_bucket',
    'a_count{x="1",}',
    '{"h.d", job="a" } ',
    '{"h.d"}',
    ' {"h.d",} ',
    '{"h',
    'a b',
    '{x="1"}',
  ]) {
    lines.push(said(`histogram ${selector}`, () => splitHistogram(selector) ?? 'none'));
  }
  matchesGolden('own-queries', lines);
});

test('steps of the time before the rules ran', async () => {
  const asked: string[] = [];
  const prometheus = {
    range: (expr: string, fromMs: number, toMs: number, stepMs: number) => {
      asked.push(`${expr.length} characters from ${fromMs} to ${toMs} by ${stepMs}`);
      const points: [number, number][] = [];
      const endMs = Math.min(toMs, fromMs + 20 * stepMs);
      for (let atMs = fromMs; atMs <= endMs; atMs += stepMs) {
        points.push([atMs, atMs % 90_000 === 0 ? NaN : atMs / 30_000]);
      }
      return Promise.resolve([
        { labels: { job: 'a"b' }, points },
        { labels: {}, points: points.slice(0, 1) },
      ]);
    },
  };
  const lines: string[] = [];
  for (const [from, to] of [
    [7_000_000, 7_900_000],
    [0, 160_000_000],
  ] as const) {
    const slos = read('kinds').filter((s) => /events|slices|latency/.test(s.id));
    for await (const line of backfillLines(slos, prometheus as never, from, to))
      lines.push(line.trim());
  }
  matchesGolden('backfill', [...asked, ...lines.slice(0, 150), lines.at(-1) ?? '']);
});

test('each golden file has its test', () => {
  const own = ['backfill', 'differences', 'generated', 'options', 'outputs', 'own-queries'];
  own.push('unreachable', 'windows', 'theory-kinds', 'theory-guards');
  own.push('compiled-kinds', 'compiled-guards', 'explained-alone', 'commands');
  own.push(...ways.map(([name, how]) => `explained-${name}-${how}`));
  expect(readdirSync(folder).sort()).toEqual(own.map((name) => `${name}.txt`).sort());
});
