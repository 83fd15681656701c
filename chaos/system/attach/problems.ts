/** Problems that the fields of a `system: attach` do not show: programs that do not exist. */
import { resolve } from 'node:path';
import type { At, Path } from '../../../base/yaml.js';
import { isExecutable } from '../../../base/executable.js';
import { onPath } from '../../../base/tools.js';
import type { AttachSpec, CommandStep } from './attach-schema.js';

/** An undo that cannot be started does not work: the fault would stay. */
export function attachProblems(spec: AttachSpec, folder: string, at: At): void {
  const steps: [Path, CommandStep | undefined][] = [
    ...Object.entries(spec.faults).flatMap(([name, { inject, confirm, undo }]) =>
      Object.entries({ inject, confirm, undo }).map(([step, own]): [Path, CommandStep] => [
        ['system', 'faults', name, step],
        own,
      ]),
    ),
    ...Object.entries(spec.calls).map(([name, { confirm }]): [Path, CommandStep | undefined] => [
      ['system', 'calls', name, 'confirm'],
      confirm,
    ]),
  ];
  for (const [path, step] of steps) {
    // In a text for sh, the shell has its own commands.
    const program = step && typeof step.command !== 'string' ? step.command[0] : undefined;
    if (program === undefined || isThere(program, folder)) continue;
    at(path, `no program '${program}' ${program.includes('/') ? 'there' : 'on PATH'}`);
  }
}

const isThere = (program: string, folder: string): boolean =>
  program.includes('/') ? isExecutable(resolve(folder, program)) : onPath(program);
