/** Ways to stop a run: one switch for all of a user's commands, a repeated signal; and processes that must not spin. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { asset, program } from '../../base/paths.js';
import { freePorts } from '../../base/ports.js';
import {
  descendants,
  drillFolder,
  faultAnnounced,
  firedrillOf,
  isRunning,
  journals,
  until,
} from './drill.js';

const limitMs = 120_000;

function twoServices(): string {
  const folder = drillFolder();
  cpSync(asset('examples/systems/two-services'), folder, { recursive: true });
  return folder;
}

const drilling =
  'gameday run --scenarios scenarios/back-slow.yaml --prometheus embedded --load embedded'.split(
    ' ',
  );

/** A server that answers every request, and counts the requests. */
async function target(): Promise<{ url: string; asked(): number }> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
}

test(
  'one switch, thrown in a folder of its own, ends and blocks every command that sends load or faults',
  async () => {
    const home = drillFolder();
    const { url, asked } = await target();
    const elsewhere = drillFolder();
    writeFileSync(
      join(elsewhere, 'load.yaml'),
      `apiVersion: firedrill.dev/v1\nkind: Load\nurl: ${url}\nrate: 20\nroutes: [{ name: all, request: GET / }]\n`,
    );
    const [port] = await freePorts(1);
    const commands: [string, string[]][] = [
      [twoServices(), drilling],
      [elsewhere, ['load', 'run', '--url', url, '--duration', '10m', '--load', 'embedded']],
      [elsewhere, ['load', 'probe', 'load.yaml', '--listen', `127.0.0.1:${port}`]],
    ];
    const begin = ([folder, args]: [string, string[]]) => firedrillOf(home, folder, ...args);
    // The drill comes last: it ends by itself some seconds after its fault.
    const [load, probe] = commands.slice(1).map(begin);
    await until(() => probe!.output().includes('metrics') && asked() > 40, 60_000, 'load is sent');
    const drill = begin(commands[0]!);
    await until(() => faultAnnounced(drill.folder), 60_000, `a fault: ${drill.output()}`);
    const started = [drill, load!, probe!];
    const pids = started.flatMap(({ child }) => [child.pid!, ...descendants(child.pid!)]);

    await firedrillOf(home, drillFolder(), 'gameday', 'stop', '--reason', 'an incident').ended;
    const stopped = 'stopped by the kill switch: an incident';
    for (const { ended } of started) {
      expect(await ended).toEqual({ code: 4, output: expect.stringContaining(stopped) as string });
    }
    expect(pids.some(isRunning)).toBe(false);
    expect(drill.record().scenarios[0]?.rollback).toMatchObject({ done: true, residue: [] });

    const before = asked();
    const thrown = 'the kill switch is thrown (an incident)';
    for (const [folder, args] of commands) {
      const refused = await firedrillOf(home, folder, ...args).ended;
      expect(refused).toEqual({ code: 4, output: expect.stringContaining(thrown) as string });
    }
    expect(asked()).toBe(before);
  },
  limitMs,
);

test.each(['SIGTERM', 'SIGHUP'] as const)(
  'two %ss at once, of timeout(1) or of a terminal that is closed, are one: faults are rolled back',
  async (signal) => {
    const folder = twoServices();
    const drill = firedrillOf(join(folder, 'xdg'), folder, ...drilling);
    await until(() => faultAnnounced(folder), 60_000, `a fault: ${drill.output()}`);
    drill.child.kill(signal);
    await until(() => drill.output().includes('interrupted:'), 10_000, 'the first is heard');
    drill.child.kill(signal);
    if (signal === 'SIGHUP') for (const end of [1, 2]) drill.child.stdio[end]?.destroy();
    const { code, output } = await drill.ended;
    expect(code).toBe(130);
    if (signal === 'SIGTERM') expect(output).toContain('every fault was rolled back');
    expect(output).not.toContain('leaving at once');
    expect(drill.record().scenarios[0]?.faults[0]).toMatchObject({ id: 'slow', undo: 'done' });
    expect(existsSync(join(folder, 'gameday-report', 'index.html'))).toBe(true);
    expect(journals(folder)).toEqual([]);
  },
  limitMs,
);

test.each(['SIGINT', 'the kill switch'] as const)(
  '%s while the system starts: nobody waits for a command that prepares it for minutes',
  async (how) => {
    const folder = twoServices();
    const file = join(folder, 'firedrill.yaml');
    const slow = "  kind: processes\n  prepare: [[sh, -c, 'touch begun; sleep 300']]\n";
    writeFileSync(file, readFileSync(file, 'utf8').replace('  kind: processes\n', slow));
    const home = join(folder, 'xdg');
    const drill = firedrillOf(home, folder, ...drilling);
    await until(() => existsSync(join(folder, 'begun')), 60_000, drill.output());
    const pids = [drill.child.pid!, ...descendants(drill.child.pid!)];
    if (how === 'SIGINT') drill.child.kill(how);
    else await firedrillOf(home, folder, 'gameday', 'stop', '--reason', 'an incident').ended;
    const { code, output } = await drill.ended;
    expect([code, output]).toEqual(
      how === 'SIGINT'
        ? [130, expect.stringContaining('interrupted: nothing was broken yet')]
        : [4, expect.stringContaining('stopped by the kill switch: an incident')],
    );
    expect([pids.some(isRunning), journals(folder)]).toEqual([false, []]);
  },
  limitMs,
);

/** Number of write(2) calls, including failed ones. */
const writesOf = (pid: number): number =>
  Number(/^syscw: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);

/** A sidecar that spins on a broken pipe makes some hundreds per second. */
const quietWrites = 60;
const lookMs = 1500;

test(
  'a sidecar whose standard error has lost its reader says nothing, serves on, and does not spin',
  async () => {
    const folder = drillFolder();
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'proxy.yaml');
    const [admin = 0, outbound = 0] = await freePorts(2);
    const config = `workload: { name: orders, namespace: mine }
outbound: { host: 127.0.0.1, port: ${outbound}, mode: explicit }
admin: { host: 127.0.0.1, port: ${admin} }
state: { version: 1, destinations: [] }
`;
    writeFileSync(file, config);
    const child = spawn(process.execPath, [program('mesh/proxy/main'), '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', () => reject(new Error(said)));
    });
    child.stdout.destroy();
    // Its log has a reader at first: the mistake in the file is reported.
    writeFileSync(file, `${config}garbage: [\n`);
    await until(() => said.includes('garbage') || said.includes('proxy.yaml'), 20_000, 'a line');
    child.stderr.destroy();
    const before = writesOf(child.pid!);
    writeFileSync(file, `${config}more: [\n`);
    await until(() => writesOf(child.pid!) > before, 20_000, 'it tries to log');
    const from = writesOf(child.pid!);
    await sleep(lookMs);
    expect(writesOf(child.pid!) - from).toBeLessThan(quietWrites);
    expect((await fetch(`http://127.0.0.1:${admin}/live`)).status).toBe(200);
  },
  limitMs,
);
