/** Every alert has a page that can be followed; facts are escaped for their context. */
import { parser } from '@prometheus-io/lezer-promql';
import { Command } from 'commander';
import fc from 'fast-check';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { alertNames } from '../../alerts/library/names.js';
import { registerAlerts } from '../../alerts/commands.js';
import { asset } from '../../base/paths.js';
import { formatProblem } from '../../base/errors.js';
import { parseYaml } from '../../base/yaml.js';
import { registerChaos } from '../../chaos/commands.js';
import { registerController } from '../../mesh/controller/commands.js';
import { registerKubernetes } from '../../mesh/kubernetes/commands.js';
import { registerProxy } from '../../mesh/proxy/commands.js';
import { findCommandProblem } from '../../runbooks/command-line.js';
import { registerRunbooks } from '../../runbooks/commands.js';
import { readFacts, type RunbookFacts } from '../../runbooks/facts.js';
import { lintPages, piecesOf, plainQuery } from '../../runbooks/lint.js';
import { markdownToHtml } from '../../runbooks/markdown.js';
import { type Page, partSources, readPages } from '../../runbooks/pages.js';
import { queriesOf, renderPage, renderRunbook } from '../../runbooks/render.js';
import { registerSlo } from '../../slo/commands.js';
import { registerPromql } from '../../slo/promql/commands.js';
import { findQueryProblem } from '../../slo/spec/query.js';
import { leaks } from './records.js';

function programOf(): Command {
  const program = new Command('firedrill');
  for (const register of [
    registerProxy,
    registerController,
    (p: Command) => registerKubernetes(p, () => Promise.reject(new Error('not asked for'))),
    registerSlo,
    registerPromql,
    registerAlerts,
    registerChaos,
    registerRunbooks,
  ]) {
    register(program);
  }
  return program;
}

const program = programOf();
const pages = readPages();
const parts = partSources();

test('every page can be followed: sections, commands, queries, links', () => {
  expect(lintPages(pages, parts, program).map(formatProblem)).toEqual([]);
});

test.each(Object.keys(alertNames))('%s has a page', (name) => {
  expect(pages.get(name)?.kind).toBe('alert');
  expect(renderRunbook(name)).toMatch(new RegExp(`^# ${name}: `));
});

test('each failure mode has a page, and the page of an alert covers what the alert covers', () => {
  const modes = [...pages.values()].filter((p) => p.kind === 'failure');
  for (const mode of ['F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7']) {
    expect(modes.map((p) => p.covers).flat()).toContain(mode);
  }
  expect(modes.filter((p) => p.covers.includes('X2'))).toHaveLength(7);
  for (const [name, { covers }] of Object.entries(alertNames)) {
    expect([name, pages.get(name)?.covers]).toEqual([name, [...covers]]);
  }
});

test.each(readdirSync(asset('chaos/scenarios')).filter((f) => f.endsWith('.yaml')))(
  'the runbook that %s names is there, and so is one for each page that it expects',
  (file) => {
    const text = readFileSync(asset(`chaos/scenarios/${file}`), 'utf8');
    const [document] = parseYaml(file, text);
    const scenario = document?.value as {
      runbook: string;
      expect: { mustFire: { alert: string; labels?: Record<string, string> }[] };
    };
    expect(pages.has(scenario.runbook)).toBe(true);
    for (const { alert, labels } of scenario.expect.mustFire) {
      const slo = labels?.slo ?? (alert.startsWith('Mesh') ? undefined : 'some-slo');
      const facts = slo === undefined ? {} : { slo };
      expect([alert, renderRunbook(alert, facts) !== undefined]).toEqual([alert, true]);
    }
  },
);

test('an alert of an SLO gets the page that SLOs share', () => {
  const facts = { labels: { slo: 'checkout-availability', service: 'checkout' } };
  expect(renderRunbook('CheckoutAvailability', facts)).toContain(
    '`checkout-availability` is burning its error budget faster than planned',
  );
  expect(renderRunbook('CheckoutAvailabilityNoData', facts)).toContain('Nothing measures an SLO');
  expect(renderRunbook('SomethingElse', {})).toBeUndefined();
});

/** Names of metrics as their sources declare them. */
function knownMetrics(): Set<string> {
  const names = new Set(['up', 'scrape_samples_post_metric_relabeling']);
  const declared = [
    ['slo/spec/mesh-metrics.ts', /'([a-z_]+)'/g],
    ['mesh/controller/metrics.ts', /name: '([a-z_]+)'/g],
    ['mesh/proxy/telemetry/names.ts', /^ {2}([a-z_]+): \{/gm],
  ] as const;
  for (const [file, pattern] of declared) {
    if (!existsSync(asset(file))) continue;
    for (const m of readFileSync(asset(file), 'utf8').matchAll(pattern)) names.add(m[1] as string);
  }
  return names;
}

function metricsOf(query: string): string[] {
  const found: string[] = [];
  parser.parse(query).iterate({
    enter(node) {
      if (node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector') {
        found.push(query.slice(node.from, node.to));
      }
    },
  });
  return found;
}

test.skipIf(!existsSync(asset('mesh/proxy/telemetry/names.ts')))(
  'queries ask for metrics that the mesh exposes',
  () => {
    const known = knownMetrics();
    const sources = [...[...pages.values()].map((p) => ({ ...p, text: p.template })), ...parts];
    const unknown = sources.flatMap((s) =>
      piecesOf(s)
        .filter((p) => p.language === 'promql')
        .flatMap((p) =>
          metricsOf(plainQuery(p.text)).map((m) => [`${s.file}:${p.line}`, m] as const),
        )
        .filter(([, m]) => !m.startsWith('slo:') && !known.has(m.replace(/_bucket$/, ''))),
    );
    expect(unknown).toEqual([]);
  },
);

const hostile = fc.oneof(
  fc.constantFrom(
    '"} or vector(1) #',
    "x'; rm -rf ~; echo '",
    '$(reboot)',
    '`id`',
    '</td><script>alert(1)</script>',
    '```\n## Escalate\n```',
    '| a |',
    '[x](javascript:alert(1))',
    '{{#each this}}',
    '\\',
    '.*',
  ),
  fc.string({ maxLength: 20 }),
);

const anyFacts: fc.Arbitrary<RunbookFacts> = fc.record(
  {
    service: hostile,
    namespace: hostile,
    workload: hostile,
    owner: hostile,
    slo: hostile,
    severity: hostile,
    summary: hostile,
    startedAt: hostile,
    controller: hostile,
    prometheus: hostile,
    pki: hostile,
    slos: hostile,
    window: hostile,
    proxies: fc.array(hostile, { maxLength: 3 }),
    labels: fc.dictionary(fc.constantFrom('dst', 'instance', 'reason', 'anchor', 'job'), hostile),
    certificates: fc.array(fc.record({ identity: hostile, notAfter: hostile }), { maxLength: 2 }),
    links: fc.array(fc.record({ title: hostile, url: hostile }), { maxLength: 2 }),
    observed: fc.array(fc.record({ name: hostile, value: hostile }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

/** Splits a line like a POSIX shell; undefined if a quote is open or a substitution would run. */
function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string;
    if (c === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + line.slice(i + 1, end);
      i = end;
    } else if (c === '\\') {
      word = (word ?? '') + (line[++i] ?? '');
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[$`;&|<>()"]/.test(c)) {
      return undefined;
    } else {
      word = (word ?? '') + c;
    }
  }
  return word === undefined ? words : [...words, word];
}

test('whatever the facts, sections stay, queries parse, shells run nothing else and HTML gains no tag', () => {
  const list = [...pages.values()];
  fc.assert(
    fc.property(fc.constantFrom(...list), anyFacts, (page: Page, facts) => {
      const text = renderPage(page, facts);
      const plain = renderPage(page);
      const titles = (t: string) =>
        [...t.matchAll(/^##+ .*$/gm)].map((m) => m[0].replace(/[A-Z]{4,}/g, ''));
      expect(titles(text).length).toBe(titles(plain).length);
      expect(text).not.toMatch(leaks);
      for (const query of queriesOf(text))
        expect([query, findQueryProblem(query)]).toEqual([query, undefined]);
      expect(queriesOf(text).length).toBe(queriesOf(plain).length);
      for (const m of text.matchAll(/```sh\n([^]*?)\n```/g)) {
        for (const line of (m[1] as string).split('\n'))
          expect([line, shellWords(line)]).not.toEqual([line, undefined]);
      }
      const html = markdownToHtml(text);
      expect(html).not.toMatch(/<script|href="javascript/i);
    }),
    { numRuns: 200 },
  );
}, 60_000);

const document = (text: string) => parseYaml('facts.json', text)[0]!;

test("facts come from amtool's list, from a webhook, or from our own words", () => {
  const alert = {
    labels: {
      alertname: 'MeshRetryStorm',
      severity: 'page',
      dst: 'payment.retail',
      service: 'payment',
    },
    annotations: { summary: 'a storm', dashboard_url: 'https://grafana.example/d/x' },
    startsAt: '2026-05-12T09:30:55Z',
  };
  const other = { labels: { alertname: 'Other' }, annotations: {} };
  for (const value of [alert, [other, alert], { alerts: [other, alert], status: 'firing' }]) {
    const facts = readFacts(document(JSON.stringify(value)), 'MeshRetryStorm');
    expect(facts).toMatchObject({ alert: 'MeshRetryStorm', summary: 'a storm', severity: 'page' });
    const text = renderRunbook('MeshRetryStorm', facts) as string;
    expect(text).toContain('dst=~"payment[.]retail"');
    expect(text).toContain('[dashboard](https://grafana.example/d/x)');
  }
  expect(readFacts(document('service: cart\nnamespace: retail\n'), undefined)).toEqual({
    service: 'cart',
    namespace: 'retail',
  });
  expect(() => readFacts(document('servce: cart\n'), undefined)).toThrow(
    /facts\.json:1:1: unknown field 'servce'/,
  );
});

test('answers stand under their queries', () => {
  const query = 'topk(5, process_resident_memory_bytes{job="firedrill-proxy"})';
  const text = renderRunbook('MeshProxyOutOfMemory', {
    answers: { [query]: [{ labels: { instance: '10.0.0.7:4191' }, value: 203_000_000 }] },
  }) as string;
  expect(text).toContain('| `instance=10.0.0.7:4191` | 203,000,000 |');
  expect(renderRunbook('MeshProxyOutOfMemory', { answers: { [query]: [] } })).toContain(
    'Returned nothing.',
  );
});

test('answers beside those from before the alert: what differs much is bold', () => {
  const query = 'topk(5, process_resident_memory_bytes{job="firedrill-proxy"})';
  const at = (instance: string, value: number) => ({ labels: { instance }, value });
  const page = (now: ReturnType<typeof at>[], before: ReturnType<typeof at>[]) =>
    renderRunbook('MeshProxyOutOfMemory', {
      answers: { [query]: now },
      answersBefore: { [query]: before },
    }) as string;
  const text = page([at('a', 300), at('b', 120), at('c', 7)], [at('a', 100), at('b', 100)]);
  expect(text).toContain('| returned | value | before the alert |\n| --- | ---: | ---: |\n');
  expect(text).toContain('| `instance=a` | **300** | 100 |\n');
  expect(text).toContain('| `instance=b` | 120 | 100 |\n');
  expect(text).toContain('| `instance=c` | **7** | nothing |');
  expect(page([], [])).toContain('Returned nothing, as before the alert.');
  expect(page([], [at('a', 1)])).toContain(
    '**Returned nothing**, unlike before the alert: 1 series.',
  );
});

test.each([
  ['stat --proxy 1', "'stat' has no option '--proxy'"],
  ['slo budgets', "no command 'slo budgets'"],
  ['identity rotate issuer --folder', "'--folder' has no value"],
  ['runbook show', undefined],
  ['runbook render X --out y', "'runbook render' cannot do without '--facts'"],
  ['readiness --format json', "'readiness' cannot do without <checklist>"],
  ['readiness incident now', "'readiness' takes 1 arguments, not 2"],
  ['slo generate -i a.yaml b.yaml -o x', undefined],
])('firedrill %s', (line, message) => {
  expect(findCommandProblem(program, line.split(' '))?.message).toBe(message);
});

const lintText = (template: string, kind: Page['kind'] = 'failure'): string[] => {
  const page: Page = {
    name: 'x',
    title: 'x',
    kind,
    covers: [],
    file: 'x.md',
    template,
    linesBefore: 4,
  };
  return lintPages(new Map([...pages, ['x', page]]), parts, program).map(formatProblem);
};

const sections = 'Meaning,Impact,Diagnosis,Mitigation,Verify,Escalate'.split(',');
const pageWith = (text: string): string =>
  sections.map((s) => `## ${s}\n\n${s === 'Diagnosis' ? text : 'words'}\n`).join('\n');

test.each([
  ['```promql\nsum(rate(x[5m])\n```', /^x\.md:16:\d+: .*PromQL/],
  ['```sh\nfiredrill start\n```', /^x\.md:16:1: no command 'start'/],
  ['```sh\nfiredrill diagnostics agressive-retries\n```', /no entry 'agressive-retries'/],
  ['```sh\nrestart-all now\n```', /the command 'restart-all' is not known here/],
  ['see [there](nowhere.md)', /^x\.md:15:\d+: no page 'nowhere'/],
  ['see MeshRetryStrom', /no page 'MeshRetryStrom'/],
  ['{{> nothing}}', /no part 'nothing'/],
  ['of {{servce}}', /no fact 'servce'/],
  ['', /the section 'Diagnosis' is empty/],
])('a page with %j is refused', (text, message) => {
  const problems = lintText(pageWith(text));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(message);
});

test('a page without a section is refused, and so is one that no alert is called by', () => {
  expect(lintText('## Meaning\n\nx\n')[0]).toMatch(
    /^x\.md:5:1: the sections are Meaning; expected Meaning, Impact/,
  );
  expect(lintText(pageWith('x'), 'alert')[0]).toMatch(/no alert of the library is called x/);
});

test('a value is told in the unit of its metric: an instant is no number of four digits', () => {
  const page = renderRunbook('SloBudgetBurn', { slo: 'cart-latency', service: 'cart' }) ?? '';
  const value = (name: RegExp, given: number): string => {
    const query = queriesOf(page).find((q) => name.test(q)) as string;
    const answers = { [query]: [{ labels: { instance: 'a' }, value: given }] };
    const startedAt = '2026-11-28T22:10:48Z';
    const text = renderRunbook('SloBudgetBurn', {
      slo: 'cart-latency',
      service: 'cart',
      startedAt,
      answers,
    });
    return /\| `instance=a` \| (.*) \|/.exec(text ?? '')?.[1] ?? 'no row';
  };
  expect(value(/timestamp/, 1795903846.25)).toBe(
    '2026-11-28 22:10:46 UTC (1.8 s before the alert)',
  );
  expect(value(/budget_remaining/, -634.6)).toBe('-63,460%');
  expect(value(/burn_rate/, 3.20001)).toBe('3.20x');
  expect(value(/endpoint_failures/, 12.3456)).toBe('12.35');
  expect(value(/endpoint_failures/, 1234567)).toBe('1,234,567');
});
