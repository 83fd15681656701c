/** A node's place: a network namespace, a folder, and the programs that run there; and the removal of all of these. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../base/clock.js';
import { requireTool } from '../../base/tools.js';

export interface Place {
  /** The name of the network namespace. */
  space: string;
  folder: string;
}

export const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const tried = (command: string, ...args: string[]): string => {
  try {
    return run(command, ...args);
  } catch {
    return '';
  }
};

export const flags = (values: Record<string, string>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`);

// `ip netns exec` makes a mount namespace of its own, which hides the kubelet's mounts, so nsenter is used.
const enter = 'nsenter';
const within = ({ space }: Place): string => `--net=/run/netns/${space}`;

export const runThere = (place: Place, command: string, ...args: string[]): string =>
  run(enter, within(place), command, ...args);

/** Runs containerd's client. */
export const ctr = ({ folder }: Place, ...args: string[]): string =>
  run('ctr', '-a', join(folder, 'containerd.sock'), '-n', 'k8s.io', ...args);

/** Links one of hyperkube's programs by its name: hyperkube runs the program by whose name it is called. */
export function part({ folder }: Place, name: string): string {
  const link = join(folder, 'bin', name);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  if (!existsSync(link)) symlinkSync(requireTool('hyperkube'), link);
  return link;
}

/** Programs in the namespace; the state folder has each one's process id and output, for the clean-up after a crash. */
export class Parts {
  readonly #place: Place;
  readonly #running = new Map<string, ChildProcess>();

  constructor(place: Place) {
    this.#place = place;
  }

  start(name: string, command: string, ...args: string[]): void {
    const { folder } = this.#place;
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const log = openSync(join(folder, 'logs', `${name}.log`), 'a');
    const child = spawn(enter, [within(this.#place), command, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    writeFileSync(join(folder, `${name}.pid`), String(child.pid));
    child.unref();
    this.#running.set(name, child);
  }

  /** Throws an error with a program's last output if the program has ended. */
  check(): void {
    for (const [name, child] of this.#running) {
      if (child.exitCode === null) continue;
      const file = join(this.#place.folder, 'logs', `${name}.log`);
      throw new Error(
        `${name} ended with ${child.exitCode}: ${readFileSync(file, 'utf8').slice(-1500)}`,
      );
    }
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let left = 900; left > 0; left--) {
      this.check();
      try {
        if (await holds()) return;
      } catch {
        // The condition does not hold yet.
      }
      await sleep(100);
    }
    throw new Error(`${what}: not within 90 s`);
  }
}

/** The kernel refuses overlayfs over an overlay (a container's own root); then plain copies are used. */
export function snapshotter({ folder }: Place): string {
  const probe = join(folder, 'probe');
  for (const name of ['low', 'up', 'work', 'all'])
    mkdirSync(join(probe, name), { recursive: true });
  const layers = `lowerdir=${probe}/low,upperdir=${probe}/up,workdir=${probe}/work`;
  try {
    run('mount', '-t', 'overlay', 'overlay', '-o', layers, join(probe, 'all'));
    run('umount', join(probe, 'all'));
    return 'overlayfs';
  } catch {
    return 'native';
  }
}

/** Ends and removes all parts of a node, including those that a killed run left behind. */
export async function clear(place: Place): Promise<void> {
  const { folder, space } = place;
  if (existsSync(folder)) {
    const ids = readdirSync(folder).filter((n) => n.endsWith('.pid') && n !== 'containerd.pid');
    for (const name of ids) kill(place, name);
    const list = (...args: string[]): string[] =>
      tried('timeout', '20', 'ctr', '-a', join(folder, 'containerd.sock'), '-n', 'k8s.io', ...args)
        .split('\n')
        .filter((line) => line !== '');
    for (const task of list('tasks', 'ls', '-q')) list('tasks', 'kill', '-s', 'SIGKILL', task);
    await sleep(1500);
    for (const container of list('containers', 'ls', '-q')) {
      const told = list('containers', 'info', container).join('');
      for (const [pod] of told.matchAll(/cni-[0-9a-f-]+/g)) tried('ip', 'netns', 'del', pod);
      list('containers', 'rm', container);
    }
    kill(place, 'containerd.pid');
    await sleep(500);
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((l) => l.split(' ')[1] ?? '');
    for (const mount of mounts.filter((m) => m.startsWith(`${folder}/`)).toReversed())
      tried('umount', '-l', mount);
    rmSync(folder, { recursive: true, force: true });
  }
  tried('ip', 'netns', 'del', space);
}

/** Kills the process only if it is in the node's namespace: its id may be another process's by now. */
function kill({ folder, space }: Place, file: string): void {
  try {
    const id = Number(readFileSync(join(folder, file), 'utf8'));
    const there = tried('ip', 'netns', 'identify', String(id)).trim();
    if (there === space && readlinkSync(`/proc/${id}/exe`) !== '') process.kill(id, 'SIGKILL');
  } catch {
    // The process has ended already.
  }
}
