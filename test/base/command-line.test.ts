/** Parts of the command line: each adds its commands, and old spellings and mistakes get an answer. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { commandLine, parts } from '../../command-line.js';

test.each(parts.map((part) => [part.commands.join(', '), part] as const))(
  'the part of %s adds these commands and no other',
  async (_, part) => {
    const command = new Command('firedrill');
    await part.add(command);
    expect(command.commands.map((c) => c.name()).toSorted()).toEqual([...part.commands].toSorted());
  },
);

test('where the first word is a command, only its part is there', async () => {
  const one = await commandLine(['slo', 'generate']);
  expect(one.commands.map((c) => c.name())).toEqual(['slo', 'dashboards']);
  const all = await commandLine(['--help']);
  expect(all.commands.length).toBe(parts.flatMap((part) => part.commands).length);
});

const run = (...args: string[]) =>
  spawnSync(process.execPath, [program('cli'), ...args], { encoding: 'utf8' });

test('the old spelling of --format works, and the new one is named', () => {
  const now = run('tools', 'list', '--format', 'json');
  const old = run('tools', 'list', '--output', 'json');
  expect(old.stderr).toContain('--output is called --format now: --format json');
  expect(old.status).toBe(0);
  expect(JSON.parse(old.stdout)).toEqual(JSON.parse(now.stdout));
  expect(run('tools', 'list', '--output', 'table').stdout).toBe(run('tools', 'list').stdout);
});

test('a mistake names the word that was meant, and the help of its own command', () => {
  const word = run('slo', 'generat');
  expect([word.status, word.stderr]).toEqual([
    2,
    "error: unknown command 'generat'\n(Did you mean generate?)\n(firedrill slo --help lists the commands)\n",
  ]);
  const choice = run('slo', 'explain', 'x.yaml', '--format', 'xml');
  expect([choice.status, choice.stderr]).toEqual([2, '--format xml; expected one of text, json\n']);
  expect(run('slo', 'generate', '--nput', 'x').stderr).toContain('(firedrill slo generate --help');
});

test.each([
  [
    'slo generate -i - -o json',
    '-o json; expected a path, such as out.json (or ./json for that name)',
  ],
  ['gameday run -o json', '-o json; expected --format json (or ./json for that name)'],
  ['gameday run -o day.html', '-o day.html; expected a folder, in which several files are written'],
  [
    'diagnostics --list agressive-retries',
    "no entry 'agressive-retries': did you mean aggressive-retries?",
  ],
  [
    'slo budget -i slo.yaml --prometheus http://127.0.0.1:6000',
    'cannot be reached: Node refuses to ask this port, as browsers do; use another one',
  ],
])('%s: %s', (words, told) => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-words-'));
  try {
    const slo =
      'apiVersion: firedrill.dev/v1\nservice: a\nowner: b\nslos: [{ name: x, objective: 99, sli: M1 }]\n';
    writeFileSync(join(folder, 'slo.yaml'), slo);
    const args = [program('cli'), ...words.split(' ')];
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: folder, input: '' });
    expect(ran.stderr).toContain(`${told}\n`);
    expect(ran.status).not.toBe(0);
    expect(readdirSync(folder)).toEqual(['slo.yaml']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the list of diagnostics is for programs, too', () => {
  const ran = run('diagnostics', '--list', '--format', 'json', 'slow-canary');
  expect(JSON.parse(ran.stdout)).toEqual([
    { id: 'slow-canary', symptom: 'a canary takes days to tell anything' },
  ]);
});

test('a list of names has commas, and does not take the files after it', () => {
  const off = [
    'missing-owner,missing-runbook',
    'missing-severity',
    'missing-summary',
    'missing-for',
  ];
  const words = off.flatMap((ids) => ['--off', ids.replaceAll('missing', 'alert/missing')]);
  const args = [program('cli'), 'alerts', 'lint', ...words, '-'];
  const ran = spawnSync(process.execPath, args, { encoding: 'utf8', input: ruleText });
  expect([ran.status, ran.stderr]).toEqual([0, '1 rule in 1 file: 0 errors, 0 warnings\n']);
});

const ruleText = 'groups:\n  - name: g\n    rules:\n      - { alert: A, expr: up == 0 }\n';
test.each([
  ['slo validate -', 'x: 1\n', /^<stdin>:1:1: /],
  ['slo explain -', 'x: 1\n', /^<stdin>:1:1: /],
  ['alerts lint -', ruleText, /^<stdin>:4:/],
  ['alerts scale - --time-scale 1/60', ruleText, /alert: A/],
  ['alerts test -', ruleText, /<stdin>:1:1: unknown field 'groups'/],
  ['alerts routes generate -f - -o -', 'x: 1\n', /^<stdin>:1:1: /],
  ['alerts silence plan -', 'x: 1\n', /^<stdin>:1:1: /],
  ['load check -', 'x: 1\n', /^<stdin>:1:1: /],
  ['postmortem lint -', 'nothing\n', /^<stdin>:\d+:1: the section 'Summary' is missing/],
  ['runbook lint --rules -', ruleText, /^<stdin>:4:.*: the alert A has no page/m],
  ['inject -', 'kind: [\n', /^<stdin>:\d+:\d+: /],
  ['mesh simulate -', 'x: 1\n', /^<stdin>:1:1: /],
  ['gameday check -', 'x: 1\n', /^<stdin>:1:1: /],
  // Nothing came in: a broken pipe or template is not clean.
  ['slo validate -', '', /^<stdin>: the file is empty; expected an SLO/],
  ['alerts lint -', '', /^no rules in <stdin>; expected rule files/],
  ['alerts lint -', 'groups: []\n', /^no rules in <stdin>/],
  ['alerts scale -', '', /^no rules in <stdin>/],
  ['alerts test -', '', /<stdin> is empty; expected tests/],
  ['alerts routes generate -f - -o -', '', /^<stdin> is empty/],
  ['load check -', '', /^<stdin>: not a load/],
  ['gameday check -', '', /^<stdin>: not a scenario/],
  ['mesh simulate -', '', /^<stdin>: not an incident/],
  ['drift -', '', /^<stdin>: not a drift file/],
  ['runbook lint --rules -', 'groups: []\n', /^no alerts in <stdin>/],
  ['runbook lint --rules -', 'service: cart\n', /^no alerts in <stdin>/],
  ['inject -', '', /^the input is empty; expected Kubernetes manifests/],
  ['inject -', '- 1\n', /^- 1\nnothing is changed: no object has a pod/],
  ['gameday toolkit check -', '', /^<stdin>: not an experiment/],
  ['proxy check -', '', /^<stdin>: not a configuration/],
  ['controller validate -', '', /^<stdin>:1:1: the registry is empty/],
  ['promql test -', '', /^<stdin>: no eval statement/],
  ['alerts silence plan -', '', /^<stdin> is empty/],
  ['alerts test -', '', /^Unit Testing: {2}<stdin>\n/],
])('`firedrill %s` reads standard input, and names it so', (words, input, expected) => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [program('cli'), ...words.split(' ')],
    { encoding: 'utf8', input },
  );
  expect(stdout + stderr).toMatch(expected);
  if (input === '') expect(status).not.toBe(0);
});

test.each([
  ['stat --proxies bogus', 2, /^'bogus' is no address of a proxy; expected its admin port/],
  ['controller status --admin bogus', 5, /^bogus\/state: it is no address/],
  ['identity denied --folder /nofolder', 2, /^--folder \/nofolder; expected a folder that exists/],
  ['alerts scale package.json --seed abc', 2, /^--seed abc; expected a whole number/],
  [
    'dashboards preview -i examples/slo/retail.yaml --recorded /',
    2,
    /^\/: a folder; expected a file/,
  ],
])('%s: the mistake in plain words', (words, code, expected) => {
  const { status, stdout, stderr } = run(...words.split(' '));
  expect([status, stdout, stderr]).toEqual([code, '', expect.stringMatching(expected)]);
});

const noRunbook = 'groups: [{ name: g, rules: [{ alert: A, expr: up == 0 }] }]';
test.each([
  ['a check that failed, and nobody reads on', 'alerts lint - | true', 1, /^$/],
  ['the same, with its summary', 'alerts lint - 2>&1 | true', 1, /^$/],
  ['one that held', 'alerts list | true', 0, /^$/],
  ['a full disk', 'alerts list > /dev/full', 5, /^the output cannot be written: ENOSPC[^\n]*\n$/],
  ['a full disk and a check that failed', 'alerts lint - > /dev/full', 5, /cannot be written/],
])('%s: %s ends with %i', (_, words, code, told) => {
  const script = `set -o pipefail; firedrill() { "$NODE" "$CLI" "$@"; }; firedrill ${words}`;
  const { status, stderr } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    input: noRunbook,
    env: { ...process.env, NODE: process.execPath, CLI: program('cli') },
  });
  expect([status, stderr]).toEqual([
    code,
    expect.stringMatching(words.includes('2>') || code !== 1 ? told : /1 rule in 1 file/),
  ]);
});

const hostileFile = join(mkdtempSync(join(tmpdir(), 'firedrill-hostile-')), 'rules.yaml');
writeFileSync(hostileFile, 'groups: [{ name: g, rules: [{ alert: "A\\e[2J", expr: up == 0 }] }]');
const noScript = spawnSync('script', ['--version']).error ? 'script is not here' : '';
test.skipIf(noScript !== '')(`names in files move no cursor of a terminal ${noScript}`, () => {
  const { stdout } = spawnSync(
    'script',
    ['-qec', '"$NODE" "$CLI" alerts lint "$FILE"', '/dev/null'],
    {
      encoding: 'utf8',
      env: { ...process.env, NODE: process.execPath, CLI: program('cli'), FILE: hostileFile },
    },
  );
  expect(stdout).toContain('A [2J has no owner');
  expect(stdout).not.toContain('\u001b[2J');
});

test('printed rules name their own source, and pass the lint that the READMEs tell', () => {
  const drift = `apiVersion: firedrill.dev/v1
kind: Drift
owner: team-shop
runbook: https://runbooks.example/drift
pairs: [{ route: a, service: s, says: { bad: errors_total, total: requests_total } }]
`;
  const piped = (input: string, ...words: string[]) =>
    spawnSync(process.execPath, [program('cli'), ...words], { encoding: 'utf8', input });
  const rules = piped(drift, 'drift', '-', '--rules').stdout;
  expect(rules).toContain('# Generated by firedrill drift --rules. Change <stdin>, not this file.');
  expect(piped(rules, 'alerts', 'lint', '-').status).toBe(0);
  const library = run('alerts', 'generate', '-o', '-').stdout;
  expect(piped(library, 'alerts', 'lint', '-', '--metrics', 'mesh').stderr).toMatch(
    /: 0 errors, 0 w/,
  );
});

test.each([
  ['completion', '', ['bash', 'fish', 'zsh']],
  ['routine', 'w', ['weekly']],
  ['readiness', 'prod', ['production']],
  ['tools install', 'amt', ['amtool']],
  ['mesh diagnostics', 'aggressive', ['aggressive-retries']],
  ['gameday schema', '', ['drill', 'scenario']],
  ['runbook walk', 'MeshRetrySt', ['MeshRetryStorm']],
])('%s %s is completed with %j', (command, typed, words) => {
  const { stdout } = run('__complete', '--', ...command.split(' '), typed);
  expect(stdout.match(/^[^\t]+/gm)).toEqual(words);
});

test('a taken port is told by its owner, its reason and its code', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const file = join(mkdtempSync(join(tmpdir(), 'firedrill-taken-')), 'proxy.json');
  const at = { host: '127.0.0.1', port };
  const admin = { host: '127.0.0.1', port: 0 };
  writeFileSync(
    file,
    JSON.stringify({ workload: { namespace: 'n', name: 'a' }, outbound: at, admin }),
  );
  const why = `127.0.0.1:${port}: another program uses this port (EADDRINUSE)`;
  const relay = run('relay', `127.0.0.1:${port}`, '127.0.0.1:1');
  expect([relay.status, relay.stderr]).toEqual([5, expect.stringContaining(why)]);
  const proxy = run('proxy', '--config', file);
  expect([proxy.status, proxy.stderr]).toEqual([5, expect.stringContaining(`outbound ${why}`)]);
  taken.close();
});
