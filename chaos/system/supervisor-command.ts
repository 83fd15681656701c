/** The command that starts a drill's system, its templates filled. */
import { formatDurationMs } from '../../base/duration.js';
import { packageRoot, program } from '../../base/paths.js';
import type { Drill } from './drill-file.js';
import { fillTemplate } from './templates.js';

export function supervisorCommand(
  drill: Drill,
  options: { folder: string; certificateLifetimeMs: number },
): { program: string; args: string[] } {
  const lifetime = formatDurationMs(Math.round(options.certificateLifetimeMs));
  if (drill.system.kind === 'processes') {
    const script = program('chaos/system/processes/main');
    const args = [script, drill.file, '--folder', options.folder];
    return { program: process.execPath, args: [...args, '--certificate-lifetime', lifetime] };
  }
  if (drill.system.kind === 'attach' || drill.system.kind === 'kubernetes') {
    const script = program(`chaos/system/${drill.system.kind}/main`);
    return { program: process.execPath, args: [script, drill.file] };
  }
  const values = new Map([
    ['node', process.execPath],
    ['package', packageRoot],
    ['folder', options.folder],
    ['certificateLifetime', lifetime],
  ]);
  const [first = '', ...args] = drill.system.command.map((text) => fillTemplate(text, values));
  return { program: first, args };
}
