/**
 * Kernel limits for running processes: the processes are moved into an own control group, and out again. Uses version 2
 * if its controllers are available, otherwise version 1; source: the kernel's documentation
 * (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst).
 */
import { accessSync, constants, existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { leaseName, type Undo } from './undo.js';

export type Controller = 'cpu' | 'memory';

export interface GroupRoot {
  version: 1 | 2;
  /** The parent folder of new groups. */
  folder: string;
}

/** Paths of control groups and processes; tests use other paths. */
export interface KernelFiles {
  groups: string;
  proc: string;
}

const kernelFiles: KernelFiles = { groups: '/sys/fs/cgroup', proc: '/proc' };

/** The folder for new groups, or the reason why there is none. */
export function groupRoot(
  controller: Controller,
  { groups, proc }: KernelFiles = kernelFiles,
): GroupRoot | { why: string } {
  const why = (reason: string): { why: string } => ({
    why: `no control group of ${controller} can be made here: ${reason}`,
  });
  if (wordsOf(join(groups, 'cgroup.controllers')).includes(controller)) {
    // Only the root group may contain both processes and limited groups.
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
  /** By file: what the kernel answered after a limit was written. */
  readonly #limits = new Map<string, string>();

  /** Makes the group at once. Throws if that fails. */
  constructor({ version, folder }: GroupRoot, id: string) {
    this.version = version;
    this.#parent = folder;
    this.#folder = join(folder, nameOf(id));
    makeFolder(this.#folder);
  }

  set(file: string, value: string | number): void {
    writeFileSync(join(this.#folder, file), `${value}`);
    this.#limits.set(file, this.#read(file));
  }

  #read = (file: string): string => linesOf(join(this.#folder, file)).join('\n');

  /** Why its limits hold no more, though nobody ended it. */
  lost(): string | undefined {
    if ([...this.#limits].every(([file, text]) => this.#read(file) === text)) return undefined;
    return 'its control group was changed or removed by somebody else';
  }

  has = (file: string): boolean => existsSync(join(this.#folder, file));

  /** The number after a word of one of the group's files, 0 if the word is missing. */
  count(file: string, word: string): number {
    const line = linesOf(join(this.#folder, file)).find((text) => text.startsWith(`${word} `));
    return Number(line?.split(' ')[1] ?? 0);
  }

  /** Moves processes in and skips those that end meanwhile; returns the number that were moved. */
  take(pids: readonly number[]): number {
    const moved = pids.filter(
      (pid) =>
        tryTo(() => writeFileSync(join(this.#folder, 'cgroup.procs'), `${pid}`)) === undefined,
    );
    return moved.length;
  }

  /** Moves its processes to the parent group, and removes the group. */
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

/** The undo for a dead supervisor's journal: its processes ended with it, and an empty group remains. */
export function groupUndo(controller: Controller): Undo | undefined {
  const root = groupRoot(controller);
  if ('why' in root) return undefined;
  const folder = join(root.folder, `firedrill-${leaseName}`);
  const argv = ['/bin/sh', '-c', undoScript, 'sh', folder];
  return { kind: 'command', argv, folder: '/', limitMs: 5000 };
}
