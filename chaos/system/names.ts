/** The names of a drill's system, known before it runs, for checks of scenarios. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import type { SystemNames } from '../scenarios/world.js';
import type { Drill } from './drill-file.js';
import { attachedNames } from './attach/names.js';
import { processNames } from './processes/names.js';
import { supervisorCommand } from './supervisor-command.js';

const limitMs = 20_000;

/** A supervisor is asked with `--names` after its command. */
export async function namesOf(drill: Drill): Promise<SystemNames> {
  if (drill.system.kind === 'processes') return processNames(drill.name, drill.system);
  if (drill.system.kind === 'attach') return attachedNames(drill.name, drill.system);
  if (drill.system.kind === 'kubernetes') {
    const { kubernetesNames } = await import('./kubernetes/names.js');
    return kubernetesNames(drill.name, drill.folder, drill.system);
  }
  const run = promisify(execFile);
  const { program, args } = supervisorCommand(drill, { folder: '', certificateLifetimeMs: 0 });
  try {
    const { stdout } = await run(program, [...args, '--names'], {
      timeout: limitMs,
      cwd: drill.folder,
    });
    return JSON.parse(stdout) as SystemNames;
  } catch (error) {
    const text = `${drill.name} does not say what it is made of: ${messageOf(error)}`;
    throw new UserError(text, exitCode.environment);
  }
}
