/** Runs the command line like a user, in its own folder, and ends the processes that it started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { sleep } from '../../base/clock.js';
import { asset, program } from '../../base/paths.js';
import type { GameDayRecord } from '../../runbooks/record.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

export const failingPayment = asset('test/chaos/fixtures/failing-payment.yaml');

export interface Drill {
  folder: string;
  child: ChildProcess;
  /** All output so far. */
  output(): string;
  ended: Promise<{ code: number | null; output: string }>;
  record(): GameDayRecord;
}

export function drillFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-drill-'));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment without vitest's variables for pages: a program under test may read BASE_URL as its own. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { BASE_URL: _base, MODE: _mode, DEV: _dev, PROD: _prod, SSR: _ssr, ...own } = process.env;
  return own;
}

/** `firedrill <args>` in the folder; killed after the test if it still runs. */
export const firedrill = (folder: string, ...args: string[]): Drill =>
  // A separate kill switch, so that the tester's own switch is not used.
  firedrillOf(join(folder, 'xdg'), folder, ...args);

/** The same for a user whose state is in `home`. */
export function firedrillOf(home: string, folder: string, ...args: string[]): Drill {
  const env = { ...ownEnvironment(), XDG_STATE_HOME: home };
  const child = spawn(process.execPath, [program('cli'), ...args], { cwd: folder, env });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, output }));
  });
  endings.push(() => child.kill('SIGKILL'));
  return {
    folder,
    child,
    output: () => output,
    ended,
    record: () =>
      JSON.parse(
        readFileSync(join(folder, 'gameday-report', 'record.json'), 'utf8'),
      ) as GameDayRecord,
  };
}

export async function until(what: () => boolean, limitMs: number, doing: string): Promise<void> {
  const end = performance.now() + limitMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${doing}`);
    await sleep(50);
  }
}

/** All descendants of a process, by /proc. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // The process ended meanwhile.
    }
  }
  const below = (one: number): number[] =>
    (children.get(one) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Whether the process runs, and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

export const journals = (folder: string): string[] => {
  const path = join(folder, '.firedrill', 'journal');
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
};

/** Whether the journal contains a fault, which is active or about to be. */
export const faultAnnounced = (folder: string): boolean =>
  journals(folder).some((file) => readFileSync(file, 'utf8').includes('"kind":"intent"'));
