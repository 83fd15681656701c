/** A proxy that starts together with its app: it begins as root, writes the redirection, and keeps no capability. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { program } from '../../base/paths.js';
import { testWith } from '../tools.js';

const space = 'firedrill-together';
const within = [`--net=/run/netns/${space}`];
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const rights = '--bounding-set=-all,+net_admin,+net_raw,+setuid,+setgid';
const needs = process.getuid?.() === 0 ? testWith('iptables', 'ip') : test.skip;

needs('start: together: the rules are there, and no thread has a capability left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-together-'));
  const config = join(folder, 'proxy.json');
  const side = { host: '127.0.0.1', port: 0, mode: 'explicit' };
  const state = { version: 1, unknownDestinations: 'forward', destinations: [], servers: [] };
  const admin = { host: '127.0.0.1', port: 4191 };
  const workload = { name: 'web', namespace: 'shop' };
  writeFileSync(config, JSON.stringify({ workload, outbound: side, admin, state }));
  // The proxy's user reads the folder after root's rights are gone.
  run('chmod', '-R', 'a+rX', folder);
  run('ip', 'netns', 'add', space);
  run('nsenter', ...within, 'ip', 'link', 'set', 'lo', 'up');
  const init = [program('mesh/kubernetes/inject/init'), '--proxy-uid', '2102', '--config', config];
  const limits = ['setpriv', '--no-new-privs', '--inh-caps=-all', rights];
  const child = spawn('nsenter', [...within, ...limits, process.execPath, ...init]);
  try {
    run('nsenter', ...within, process.execPath, program('mesh/proxy/await'), '4191', '20');
    const threads = `/proc/${child.pid}/task`;
    for (const thread of readdirSync(threads)) {
      const status = readFileSync(join(threads, thread, 'status'), 'utf8');
      expect(status).toMatch(/^Uid:(\s+2102){4}$/m);
      expect(status).toMatch(/^CapPrm:\s+0+$/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
    }
    const rules = run('nsenter', ...within, 'iptables', '-t', 'nat', '-S');
    expect(rules).toContain('-A OUTPUT -p tcp -j FIREDRILL_OUTBOUND');
    expect(rules).toContain('--uid-owner 2102 -j RETURN');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
    run('ip', 'netns', 'del', space);
    rmSync(folder, { recursive: true });
  }
});
