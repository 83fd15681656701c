/** Faults of a process's resources, held by the supervisor: processor, memory, open files, disk. */
import type * as z from 'zod';
import type { Controller } from './control-group.js';
import { groupUndo } from './control-group.js';
import { cpuLimit } from './cpu.js';
import { diskSettings } from './disk.js';
import { type FaultKind, type Ramp } from './kind.js';
import { memoryLimit } from './memory.js';
import { openFilesLimit } from './open-files.js';

const ofProcess = (
  kind: string,
  effectUnit: string,
  summary: string,
  more: { settings: z.ZodType; group?: Controller; targets?: 'disk'; ramp?: Ramp },
): FaultKind => ({
  summary,
  settings: more.settings as z.ZodType<Record<string, unknown>>,
  targets: more.targets ?? 'process',
  effectUnit,
  ...(more.ramp && { ramp: more.ramp }),
  points: (system, target, settings) => {
    const undo = more.group && groupUndo(more.group);
    const body = { kind, target, ...settings };
    return [{ url: system.admin, target, body, ...(undo && { undo }) }];
  },
});

export const resourceKinds = {
  cpu: ofProcess(
    'cpu',
    'times held back',
    'the process gets `cores` of a processor (a control group)',
    {
      settings: cpuLimit.settings,
      group: 'cpu',
      // Shrinks from a whole processor.
      ramp: { setting: 'cores', from: (worst) => Math.max(1, worst) },
    },
  ),
  memory: ofProcess(
    'memory',
    'processes killed by the kernel',
    'the process is killed by the kernel when it takes `moreBytes` more (a control group); it comes back when the ' +
      'lease ends',
    { settings: memoryLimit.settings, group: 'memory' },
  ),
  'open-files': ofProcess(
    'open-files',
    'times found at its limit',
    'the process can open `more` more files and connections (prlimit)',
    { settings: openFilesLimit.settings },
  ),
  'disk-full': ofProcess(
    'disk-full',
    'disks filled',
    "the service's own disk (`disk: 16MB`) is full but for `leftBytes`",
    { settings: diskSettings, targets: 'disk' },
  ),
} satisfies Record<string, FaultKind>;
