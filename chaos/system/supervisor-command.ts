/** The command that starts a drill's system, its templates filled. */
import { formatDurationMs } from '../../base/duration.js';
import { packageRoot } from '../../base/paths.js';
import type { Drill } from './drill-file.js';
import type { SupervisorSpec } from './drill-schema.js';
import { fillTemplate } from './templates.js';

export function supervisorCommand(
  drill: Drill,
  options: { folder: string; certificateLifetimeMs: number },
): { program: string; args: string[] } {
  const spec = drill.system as SupervisorSpec;
  const values = new Map([
    ['node', process.execPath],
    ['package', packageRoot],
    ['folder', options.folder],
    ['certificateLifetime', formatDurationMs(Math.round(options.certificateLifetimeMs))],
  ]);
  const [program = '', ...args] = spec.command.map((text) => fillTemplate(text, values));
  return { program, args };
}
