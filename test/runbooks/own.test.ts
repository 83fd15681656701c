/** Users' own runbooks: stale steps are reported at their place, good steps are not reported, and pages are served. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatProblem } from '../../base/errors.js';
import { onPath } from '../../base/tools.js';
import { commandsIn } from '../../runbooks/own/commands.js';
import { ownPageFor, runbookFor } from '../../runbooks/own/command.js';
import { deadLinks } from '../../runbooks/own/links.js';
import { lintOwn } from '../../runbooks/own/lint.js';
import { anchorsOf, ownRunbooks } from '../../runbooks/own/pages.js';
import { wordsOfRules } from '../../runbooks/own/rules.js';
import { runStep, stepsOf, walk } from '../../runbooks/own/walk.js';
import { serveRunbooks } from '../../runbooks/own/serve.js';
import { Command } from 'commander';
import { registerRunbooks } from '../../runbooks/commands.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-own-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = new Command('firedrill');
registerRunbooks(program);

const rules = `groups:
  - name: back
    rules:
      - record: job:http_requests:rate5m
        expr: sum(rate(http_requests_total[5m]))
      - alert: BackDown
        expr: up{job="back"} == 0
        annotations: { runbook_url: 'https://ops.example/runbooks/BackDown' }
      - alert: FrontSlow
        expr: histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m])) > 1
        annotations: { runbook_url: 'https://ops.example/runbooks/front#what-to-do' }
`;

const good: Record<string, string> = {
  'BackDown.md': `# BackDown

The alert \`BackDown\` fires when nobody answers. See [front](front.md#what-to-do), [here](#first) and \`MyClass\`.

## First

\`\`\`sh
# how it is started
kubectl -n shop get pods | grep back && ./restart.sh back
NAMESPACE=shop kubectl get pods > /tmp/pods; cat /tmp/pods
sudo systemctl restart back
for pod in $(kubectl get pods -o name); do kubectl logs "$pod"; done
amtool alert query alertname="BackDown"
cat <<EOF
nosuchcommand in a text
EOF
firedrill runbook list --kind failure
firedrill runbook show 'Mesh'RetryStorm > /tmp/page.md 2>&1
firedrill runbook show <alert>
firedrill postmortem new --title 'The back was down' -o "post mortem.md"
\`\`\`

\`\`\`console
$ ls /var/lib
output that is no command
\`\`\`

\`\`\`promql
sum(rate(http_requests_total{job="back"}[5m])) / scalar(job:http_requests:rate5m)
\`\`\`

\`\`\`json
{ "not": "a command" }
\`\`\`
`,
  'front.md': `# Front is slow

## What to do

Look at \`http_request_duration_seconds_bucket\`. Then \`firedrill runbook show MeshRetryStorm\`, or
\`firedrill postmortem new --title 'front was slow'\`.
`,
};

/** Each entry: a file, a text in it, the text's replacement, and the expected problem. */
const planted: [string, string, string, RegExp][] = [
  ['BackDown.md', 'kubectl -n shop get', 'kubctl -n shop get', /no command 'kubctl'/],
  ['BackDown.md', '| grep back', '| gerp back', /no command 'gerp'/],
  ['BackDown.md', './restart.sh', './restart-back.sh', /there is no \.\/restart-back\.sh/],
  ['BackDown.md', 'sudo systemctl', 'sudo servicectl', /no command 'servicectl'/],
  ['BackDown.md', '; cat /tmp', '; catt /tmp', /no command 'catt'/],
  ['BackDown.md', '; do kubectl', '; do kubeclt', /no command 'kubeclt'/],
  ['BackDown.md', '$ ls /var', '$ lss /var', /no command 'lss'/],
  ['BackDown.md', 'firedrill runbook list', 'firedrill runbooks list', /no command 'runbooks'/],
  ['BackDown.md', '--kind failure', '--sort failure', /no option '--sort'/],
  [
    'front.md',
    'firedrill runbook show',
    'firedrill runbook display',
    /no command 'runbook display'/,
  ],
  [
    'BackDown.md',
    'http_requests_total{',
    'http_request_total{',
    /no rule and no target has http_request_total/,
  ],
  [
    'BackDown.md',
    'scalar(job:http',
    'scalar(svc:http',
    /no rule and no target has svc:http_requests/,
  ],
  ['BackDown.md', '[5m])) /', '[5m) /', /BackDown\.md:\d+:\d+: .*expected/s],
  [
    'front.md',
    'duration_seconds_bucket',
    'latency_seconds_bucket',
    /has http_request_latency_seconds_bucket/,
  ],
  ['BackDown.md', '(front.md#', '(frontend.md#', /leads nowhere: no frontend\.md/],
  ['BackDown.md', '#what-to-do)', '#mitigation)', /front\.md has no heading #mitigation/],
  ['BackDown.md', '(#first)', '(#second)', /this page has no heading #second/],
  [
    'BackDown.md',
    'alert `BackDown`',
    'alert `BackendDown`',
    /no rule has the alert BackendDown.*BackDown/s,
  ],
  ['BackDown.md', 'alertname="BackDown"', 'alertname="BackGone"', /no rule has the alert BackGone/],
  ['front.md', '## What to do', '## Mitigation', /front(\.md)? has no heading #what-to-do/],
];

const world = () => {
  const words = wordsOfRules([join(folder, 'rules.yaml')]);
  const may = new Set(['kubectl', 'amtool', 'systemctl']);
  return {
    program,
    isProgram: (name: string) => may.has(name) || onPath(name),
    rules: words,
    series: words.series,
    ours: new Set(['MeshRetryStorm']),
  };
};

function written(name: string, change?: readonly [string, string, string]): string {
  const pages = join(folder, name);
  mkdirSync(pages, { recursive: true });
  for (const [file, text] of Object.entries(good)) {
    const [changed, from, to] = change ?? [];
    if (changed === file) expect(text).toContain(from);
    writeFileSync(join(pages, file), changed === file ? text.replace(from!, to!) : text);
  }
  writeFileSync(join(pages, 'restart.sh'), '');
  return pages;
}

beforeAll(() => writeFileSync(join(folder, 'rules.yaml'), rules));

test('twenty stale steps are planted, as the README says', () => {
  expect(planted).toHaveLength(20);
});

test('pages that can be followed are left alone', () => {
  const { problems } = lintOwn(ownRunbooks([written('good')]), world());
  expect(problems.map(formatProblem)).toEqual([]);
});

test.each(planted)('in %s, %s became %s: found, and nothing else', (file, from, to, words) => {
  const pages = written('planted', [file, from, to]);
  const { problems } = lintOwn(ownRunbooks([pages]), world());
  // A removed heading is missing for the rule and for the page that link to it.
  const said = problems.map(formatProblem);
  expect(said).toEqual(said.map(() => expect.stringMatching(words) as string));
  expect(said).toHaveLength(from.startsWith('##') ? 2 : 1);
  expect(problems[0]?.place).toBeDefined();
});

test('a page of an alert that was renamed, and a rule whose page is gone, are two', () => {
  const pages = written('renamed');
  rmSync(join(pages, 'BackDown.md'));
  writeFileSync(join(pages, 'BackDead.md'), '# Gone\n');
  const { problems } = lintOwn(ownRunbooks([pages]), world());
  expect(problems.map((p) => p.message)).toEqual([
    'no rule has the alert BackDead',
    "the runbook_url of BackDown leads to 'BackDown', which is no page",
  ]);
});

test('nobody was asked: neither alerts nor series are judged', () => {
  const pages = ownRunbooks([written('bare')]);
  const { rules: _rules, series: _series, ...bare } = world();
  const problems = lintOwn(
    pages.map((p) => ({ ...p, text: p.text.replaceAll('http_requests_total', 'nothing_total') })),
    bare,
  ).problems;
  expect(problems).toEqual([]);
});

test('commands: quotes, comments, wrappers, continuations and functions are seen as a shell sees them', () => {
  const text = String.raw`
again() { echo; }
again | tee out # | nothing
A=1 B=2 sudo -n env ls "a | b; c" 2>&1 | sort \
  --reverse | uniq
"$TOOL" x; $TOOL y; POD_NAME logs
`;
  expect(commandsIn(text).map((c) => c.words[0])).toEqual(['tee', 'ls', 'sort']);
  for (const { words, offset } of commandsIn(text)) {
    expect(text.slice(offset).startsWith(words[0]!)).toBe(true);
  }
});

test('anchors are those of GitHub', () => {
  expect([...anchorsOf('# One `two`\n## One two\n### [A link](x) — b')]).toEqual([
    'one-two',
    'one-two-1',
    'a-link--b',
  ]);
});

describe('served', () => {
  const get = async (port: number, path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.text()];
  };

  test('own pages, then ours, by the last part of any path; read anew, and nothing beside them', async () => {
    const pages = written('served');
    const { server, port } = await serveRunbooks([pages], { host: '127.0.0.1', port: 0 });
    try {
      expect(await get(port, '/BackDown')).toEqual([
        200,
        expect.stringContaining('nobody answers'),
      ]);
      expect((await get(port, '/a/b/front.md?x#y'))[1]).toContain('Front is slow');
      expect((await get(port, '/MeshRetryStorm/'))[0]).toBe(200);
      expect((await get(port, '/'))[1]).toContain('href="/BackDown/"');
      for (const bad of ['/nobody', '/..%2f..%2fetc%2fpasswd', '/%zz', '/rules.yaml']) {
        expect((await get(port, bad))[0]).toBe(404);
      }
      writeFileSync(join(pages, 'front.md'), '# New\n<script>alert(1)</script>\n');
      const [, text] = await get(port, '/front');
      expect(text).toContain('New');
      expect(text).not.toContain('<script>');
      const post = await fetch(`http://127.0.0.1:${port}/front`, { method: 'POST' });
      expect(post.status).toBe(405);
      rmSync(pages, { recursive: true });
      expect((await get(port, '/front'))[0]).toBe(500);
    } finally {
      server.close();
    }
  });

  test('links to the web: one that is gone, one that nobody answers, one that only refuses', async () => {
    const server = createServer((q, s) => s.writeHead(q.url === '/gone' ? 404 : 403).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const place = { file: 'x.md', line: 1, column: 1 };
    const urls = [`${at}/gone`, `${at}/secret`, 'http://127.0.0.1:1/'];
    const dead = await deadLinks(urls.map((url) => ({ url, place })));
    server.close();
    expect(dead.map((p) => p.message)).toEqual([
      expect.stringContaining('/gone answers 404'),
      expect.stringContaining('cannot be reached'),
    ]);
  });
});

test('a walk: each step is shown and asked for, what is open is not run, and a stop is a stop', async () => {
  const text = [
    '# Down',
    '## First',
    '```sh',
    '# a comment',
    'kubectl get pods \\',
    '  -n shop',
    'kubectl delete pod POD_NAME',
    '```',
    '## Then',
    '```console',
    '$ true',
    'output',
    '```',
    '```sh',
    'for x in 1 2; do',
    '  echo $x',
    'done',
    '```',
    '```json',
    '{}',
    '```',
    '```sh',
    "curl -X POST 'http://a/B_C' -d VALUE=1",
    'kubectl logs <pod>',
    '```',
  ].join('\n');
  const steps = stepsOf(text);
  expect(steps.map((s) => [s.heading, s.command.split('\n').length, s.open])).toEqual([
    ['First', 2, []],
    ['First', 1, ['POD_NAME']],
    ['Then', 1, []],
    ['Then', 3, []],
    ['Then', 1, []],
    ['Then', 1, ['<pod>']],
  ]);
  const ran: string[] = [];
  const answers = ['y', 's', 'yes', 'q'];
  const parts = {
    say: () => undefined,
    ask: () => Promise.resolve(answers.shift()),
    run: (command: string) => Promise.resolve(ran.push(command) === 1 ? 0 : 3),
  };
  expect(await walk(steps, parts)).toEqual({ run: 2, skipped: 2, failed: 1, stopped: true });
  expect(ran.map((c) => c.split(' ')[0])).toEqual(['kubectl', 'for']);
  // Nobody answers the questions, so nothing runs.
  expect(await walk(steps, parts)).toMatchObject({ run: 0, stopped: true });
  expect(await runStep('exit 3')).toBe(3);
});

test('the page of an alert: where its runbook_url leads, then its name, then ours', async () => {
  const pages = ownRunbooks([written('for')]);
  const words = wordsOfRules([join(folder, 'rules.yaml')]);
  expect(ownPageFor('FrontSlow', pages, words)?.name).toBe('front');
  expect(ownPageFor('BackDown', pages, undefined)?.name).toBe('BackDown');
  expect(await runbookFor('MeshRetryStorm', {})).toContain('## Diagnosis');
  await expect(runbookFor('MeshRetryStrom', {})).rejects.toThrow('did you mean MeshRetryStorm?');
  expect(() => ownRunbooks([join(folder, 'nothing')])).toThrow('no such file or folder');
});

test('a page without a word helps nobody, and is a problem', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'firedrill-page-')), 'empty.md');
  writeFileSync(file, ' \n');
  const { problems } = lintOwn(ownRunbooks([file]), world());
  expect(problems.map((p) => p.message)).toContain('the page is empty');
});
