/**
 * A pod's sandbox on this machine: a network namespace behind a bridge, and containers as processes in it, each with a
 * root file system of its own, its user, its capabilities and its volumes, as in the pod's spec. It needs root.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../base/paths.js';
import type { Container } from '../../mesh/kubernetes/discovery/types.js';

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const run = (...command: string[]): string =>
  execFileSync(command[0] as string, command.slice(1), { encoding: 'utf8', env: environment });

/** The network of a node's pods; `address` is the node's own address there, and `second` another of its own. */
export class Bridge {
  readonly name = `fdb${process.pid}`;
  readonly address: string;
  readonly second: string;
  readonly #prefix: string;
  #next = 2;

  constructor() {
    // Concurrent tests get networks of their own.
    this.#prefix = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 256}`;
    this.address = `${this.#prefix}.1`;
    run('ip', 'link', 'add', this.name, 'type', 'bridge');
    this.second = `${this.#prefix}.254`;
    for (const own of [this.address, this.second]) {
      run('ip', 'addr', 'add', `${own}/24`, 'dev', this.name);
    }
    run('ip', 'link', 'set', this.name, 'up');
  }

  nextAddress(): string {
    return `${this.#prefix}.${this.#next++}`;
  }

  remove(): void {
    run('ip', 'link', 'del', this.name);
  }
}

/**
 * Does a container runtime's work, in a mount namespace that `ip netns exec` made: the machine's own files below, a
 * layer in memory above, the project at /app, the pod's volumes where the container mounts them.
 */
const runtime = `set -e
room=$1 volumes=$2 app=$3 readonly=$4; shift 4
mount --make-rprivate /
mount -t tmpfs tmpfs "$room"
mkdir "$room/up" "$room/work" "$room/fs"
mount -t overlay overlay -o "lowerdir=/,upperdir=$room/up,workdir=$room/work" "$room/fs"
mount --rbind /proc "$room/fs/proc"
mount --rbind /dev "$room/fs/dev"
mkdir -p "$room/fs/app" "$room/fs/pod"
mount --bind "$app" "$room/fs/app"
mount --bind "$volumes" "$room/fs/pod"
chroot "$room/fs" sh -e -c 'cp /pod/hosts /etc/hosts
while read -r volume path; do
  mkdir -p "$(dirname "$path")"
  ln -s "/pod/$volume" "$path"
done' <"$volumes/$(basename "$room").mounts"
[ "$readonly" = no ] || mount -o remount,ro "$room/fs"
cd /
exec chroot "$room/fs" "$@"
`;

export class PodSandbox {
  readonly address: string;
  readonly #space: string;
  readonly #folder: string;
  readonly #lines = new Map<string, string[]>();
  readonly #running = new Map<string, ChildProcess>();

  constructor(bridge: Bridge, hosts: string) {
    this.address = bridge.nextAddress();
    const number = this.address.split('.').at(-1);
    this.#space = `fdp${process.pid}-${number}`;
    const [near, far] = [`fdv${process.pid}n${number}`, `fdv${process.pid}f${number}`];
    this.#folder = mkdtempSync(join(tmpdir(), 'firedrill-pod-'));
    mkdirSync(this.volume('volumes'));
    writeFileSync(join(this.#folder, 'volumes', 'hosts'), hosts);
    writeFileSync(join(this.#folder, 'runtime.sh'), runtime);
    run('ip', 'netns', 'add', this.#space);
    run('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', this.#space);
    run('ip', 'link', 'set', near, 'master', bridge.name, 'up');
    const inside = ['ip', '-n', this.#space];
    run(...inside, 'link', 'set', 'lo', 'up');
    run(...inside, 'addr', 'add', `${this.address}/24`, 'dev', far);
    run(...inside, 'link', 'set', far, 'up');
    run(...inside, 'route', 'add', 'default', 'via', bridge.address);
  }

  /** Returns the folder of a volume. */
  volume(name: string): string {
    return name === 'volumes' ? join(this.#folder, name) : join(this.#folder, 'volumes', name);
  }

  lines(container: string): readonly string[] {
    return this.#lines.get(container) ?? [];
  }

  /** Resolves to the container's exit code when it ends. */
  start(container: Container): Promise<number | null> {
    const { name } = container;
    const room = join(this.#folder, name);
    mkdirSync(room);
    const mounts = (container.volumeMounts ?? []) as { name: string; mountPath: string }[];
    const lines = mounts.map((m) => `${m.name} ${m.mountPath}\n`).join('');
    writeFileSync(join(this.volume('volumes'), `${name}.mounts`), lines);
    const security = (container.securityContext ?? {}) as {
      runAsUser?: number;
      runAsGroup?: number;
      readOnlyRootFilesystem?: boolean;
      capabilities?: { add?: string[] };
    };
    const user = security.runAsUser ?? 1000;
    const added = (security.capabilities?.add ?? []).map((c) => `,+${c.toLowerCase()}`).join('');
    const [program, ...args] = container.command as string[];
    const isReadOnly = security.readOnlyRootFilesystem ? 'yes' : 'no';
    const group = security.runAsGroup ?? user;
    const limits = `--no-new-privs --bounding-set=-all${added} --inh-caps=-all${added}`;
    const command = [
      `netns exec ${this.#space} sh ${join(this.#folder, 'runtime.sh')}`,
      `${room} ${this.volume('volumes')} ${packageRoot} ${isReadOnly}`,
      `setpriv --reuid=${user} --regid=${group} --clear-groups ${limits} --pdeathsig=KILL`,
      program === 'node' ? process.execPath : (program as string),
    ];
    const child = spawn('ip', [...command.join(' ').split(' '), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
    });
    this.#running.set(name, child);
    const kept: string[] = [];
    this.#lines.set(name, kept);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        kept.push(line);
        if (kept.length > 2000) kept.shift();
      });
    }
    return new Promise((resolve) => {
      child.on('error', () => resolve(null));
      child.on('close', (code) => {
        this.#running.delete(name);
        resolve(code);
      });
    });
  }

  /** Ends the containers in the given order, each after the previous one has ended, then removes everything else. */
  async remove(order: readonly string[]): Promise<void> {
    for (const name of order) {
      const child = this.#running.get(name);
      if (!child) continue;
      const ended = new Promise((resolve) => child.once('close', resolve));
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    run('ip', 'netns', 'del', this.#space);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
