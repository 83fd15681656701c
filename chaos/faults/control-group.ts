/**
 * Limits of the kernel on processes that run already: a control group of one's own that they are moved into, and moved
 * out of again. Version 2 where its controllers are there, else version 1; by the kernel's documentation
 * (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst).
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { leaseName, type Undo } from './undo.js';

export type Controller = 'cpu' | 'memory';

export interface GroupRoot {
  version: 1 | 2;
  /** New groups are made below it. */
  folder: string;
}

/** Where control groups and processes are told; other places are for tests. */
export interface KernelFiles {
  groups: string;
  proc: string;
}

export const kernelFiles: KernelFiles = { groups: '/sys/fs/cgroup', proc: '/proc' };

/** Where groups can be made, or the reason why not. */
export function groupRoot(
  controller: Controller,
  { groups, proc }: KernelFiles = kernelFiles,
): GroupRoot | { why: string } {
  const why = (reason: string): { why: string } => ({
    why: `no control group of ${controller} can be made here: ${reason}`,
  });
  if (wordsOf(join(groups, 'cgroup.controllers')).includes(controller)) {
    // The root alone may hold processes and groups with limits at once.
    const handed = join(groups, 'cgroup.subtree_control');
    if (!wordsOf(handed).includes(controller)) {
      const trouble = tryTo(() => writeFileSync(handed, `+${controller}`));
      if (trouble !== undefined) return why(`${handed}: ${trouble}`);
    }
    const folder = groups;
    return isWritable(folder) ? { version: 2, folder } : why(`${folder} cannot be written (root)`);
  }
  const line = linesOf(join(proc, 'self/cgroup')).find((text) =>
    (text.split(':')[1] ?? '').split(',').includes(controller),
  );
  if (line === undefined) return why('the kernel has none');
  const folder = join(groups, controller, line.split(':').slice(2).join(':'));
  if (!existsSync(join(folder, 'cgroup.procs'))) return why(`${folder} is not there`);
  return isWritable(folder) ? { version: 1, folder } : why(`${folder} cannot be written (root)`);
}

const linesOf = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
};
const wordsOf = (file: string): string[] => linesOf(file).join(' ').split(/\s+/);

const isWritable = (path: string): boolean =>
  tryTo(() => accessSync(path, constants.W_OK)) === undefined;

function tryTo(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed';
  }
}

const nameOf = (id: string): string => `firedrill-${encodeURIComponent(id)}`;

export class ControlGroup {
  readonly version: 1 | 2;
  readonly #parent: string;
  readonly #folder: string;

  /** Made at once. Throws where it cannot be. */
  constructor({ version, folder }: GroupRoot, id: string) {
    this.version = version;
    this.#parent = folder;
    this.#folder = join(folder, nameOf(id));
    mkdirSync(this.#folder, { recursive: true });
  }

  set(file: string, value: string | number): void {
    writeFileSync(join(this.#folder, file), `${value}`);
  }

  has = (file: string): boolean => existsSync(join(this.#folder, file));

  /** The number after a word of one of its files, 0 where it is not there. */
  count(file: string, word: string): number {
    const line = linesOf(join(this.#folder, file)).find((text) => text.startsWith(`${word} `));
    return Number(line?.split(' ')[1] ?? 0);
  }

  /** Those that end meanwhile are passed over; how many are in. */
  take(pids: readonly number[]): number {
    const moved = pids.filter(
      (pid) =>
        tryTo(() => writeFileSync(join(this.#folder, 'cgroup.procs'), `${pid}`)) === undefined,
    );
    return moved.length;
  }

  /** Its processes go back to the group above it, and it goes. */
  end(): void {
    for (const pid of linesOf(join(this.#folder, 'cgroup.procs')).filter((text) => text !== '')) {
      tryTo(() => writeFileSync(join(this.#parent, 'cgroup.procs'), pid));
    }
    tryTo(() => rmdirSync(this.#folder));
  }
}

const undoScript =
  '[ -d "$1" ] || exit 0; while read -r p; do echo "$p" > "$1/../cgroup.procs" || :; done ' +
  '< "$1/cgroup.procs" 2>/dev/null; rmdir "$1"';

/** For whoever finds the journal of a dead supervisor: the processes went with it, and an empty group stays. */
export function groupUndo(controller: Controller): Undo | undefined {
  const root = groupRoot(controller);
  if ('why' in root) return undefined;
  const folder = join(root.folder, `firedrill-${leaseName}`);
  const argv = ['/bin/sh', '-c', undoScript, 'sh', folder];
  return { kind: 'command', argv, folder: '/', limitMs: 5000 };
}
