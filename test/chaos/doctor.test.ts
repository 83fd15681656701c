/** `firedrill doctor`: finds each problem of a machine, and names its fix. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { examine, type Finding, thisMachine } from '../../chaos/doctor/checks.js';
import { throwSwitch } from '../../chaos/runner/stop-switch.js';

let state: string;
beforeEach(() => void (state = mkdtempSync(join(tmpdir(), 'firedrill-doctor-'))));
afterEach(() => rmSync(state, { recursive: true, force: true }));

const byId = (findings: readonly Finding[], id: string): Finding | undefined =>
  findings.find((f) => f.id === id);

test('a machine that has what it needs has no failure, and each warning has a fix', async () => {
  const find = (name: string): string => `/bin/${name}`;
  const findings = await examine({ ...thisMachine(state), node: '24.1.0', find });
  expect(findings.filter((f) => f.status === 'fail')).toEqual([]);
  expect(findings.filter((f) => f.status !== 'ok' && f.fix === undefined)).toEqual([]);
  expect(byId(findings, 'k6')).toEqual({ id: 'k6', status: 'ok', message: 'k6: /bin/k6' });
  expect(new Set(findings.map((f) => f.id)).size).toBe(findings.length);
});

const none = (): undefined => undefined;

test.each([
  ['node', { node: '18.19.0' }, 'fail', /20\.18 or later/],
  ['node', { node: '20.17.9' }, 'fail', /20\.18 or later/],
  ['node', { node: '20.20.2' }, 'warn', /end of life/],
  ['processor', { cores: 1 }, 'warn', /1 processor core:/],
  ['memory', { freeBytes: 1024 * 1024 }, 'warn', /1 MiB/],
  ['temporary-folder', { temporaryFolder: '/proc/nowhere' }, 'fail', /cannot be written/],
  ['state-folder', { stateFolder: '/proc/nowhere' }, 'fail', /cannot be written/],
  ['prometheus', { find: none }, 'warn', /embedded evaluator/],
  ['transparent-mode', { find: none }, 'warn', /lacks iptables/],
] as const)('%s: %j', async (id, trouble, status, message) => {
  const findings = await examine({ ...thisMachine(state), ...trouble });
  expect(byId(findings, id)).toMatchObject({ status, message: expect.stringMatching(message) });
});

test('the kill switch and a killed run are found, and told from a run under way', async () => {
  throwSwitch(state, { reason: 'an incident', atMs: 0 });
  mkdirSync(join(state, 'journal'));
  const begin = (run: string, pid: number): void =>
    writeFileSync(
      join(state, 'journal', `${run}.jsonl`),
      `${JSON.stringify({ kind: 'begin', atMs: 0, run, pid })}\n{"cut sho`,
    );
  begin('dead', 2 ** 22 + 1);
  begin('live', process.pid);
  const findings = await examine(thisMachine(state));
  expect(byId(findings, 'kill-switch')?.fix).toBe('firedrill gameday stop --clear');
  expect(findings.filter((f) => f.id === 'leftovers').map((f) => [f.status, f.message])).toEqual([
    ['fail', 'run dead was killed and left its journal'],
    ['warn', `run live is under way (process ${process.pid})`],
  ]);
  const shown = spawnSync(process.execPath, [program('cli'), 'doctor', '--state', state], {
    encoding: 'utf8',
    env: { ...process.env, XDG_STATE_HOME: state },
  });
  expect([shown.status, shown.stderr]).toEqual([5, '']);
  expect(shown.stdout).toContain(
    'fail  the kill switch is thrown (an incident): no run can begin\n' +
      '      fix: firedrill gameday stop --clear\n',
  );
});
