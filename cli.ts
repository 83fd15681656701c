#!/usr/bin/env node
/** The one command line: every folder adds its verbs here, and a user's mistake ends as a sentence, not a stack. */
import { Command } from 'commander';
import { inGroups } from './base/command-groups.js';
import { exitCode, messageOf, UserError } from './base/errors.js';
import { oldRuntimeWarning } from './base/old-runtime.js';
import { packageVersion } from './base/paths.js';
import { registerProxy } from './mesh/proxy/commands.js';
import { registerController } from './mesh/controller/commands.js';
import { registerKubernetes } from './mesh/kubernetes/commands.js';
import { registerSimulation } from './mesh/simulation/commands.js';
import { registerSlo } from './slo/commands.js';
import { registerPromql } from './slo/promql/commands.js';
import { registerAlerts } from './alerts/commands.js';
import { registerWatch } from './alerts/watch/serve/command.js';
import { registerConsole } from './console/command.js';
import { registerDrift } from './alerts/drift/command.js';
import { registerChaos } from './chaos/commands.js';
import { registerRunbooks } from './runbooks/commands.js';
import { registerCompletion } from './base/completion-command.js';
import { registerTools } from './base/tools-command.js';

async function main(argv: string[]): Promise<number> {
  const program = new Command('firedrill')
    .description('Write an SLO once, and know, measured, that the right alert fires in time.')
    .version(packageVersion())
    .showHelpAfterError('(firedrill --help lists the commands)')
    .exitOverride();
  registerProxy(program);
  registerController(program);
  registerKubernetes(program, async () =>
    (await import('./alerts/library/monitoring.js')).monitoringParts(),
  );
  registerSimulation(program);
  registerSlo(program);
  registerPromql(program);
  registerAlerts(program);
  registerWatch(program);
  registerDrift(program);
  registerChaos(program);
  registerRunbooks(program);
  registerConsole(program);
  registerTools(program);
  registerCompletion(program);
  inGroups(program);
  program.hook('preAction', (_, command) => {
    if (!stays.has(nameOf(command))) return;
    const warning = oldRuntimeWarning(process.versions.node);
    if (warning !== undefined) process.stderr.write(`${warning}\n`);
  });
  try {
    await program.parseAsync(argv);
    return typeof process.exitCode === 'number' ? process.exitCode : exitCode.ok;
  } catch (error) {
    return report(error);
  }
}

/** What runs for long: the runtime beneath it matters. A proxy says so itself, after its first line. */
const stays = new Set(['gameday run']);

/** `gameday run`: without the program's own name. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

function report(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('commander.')) {
    const code = (error as { exitCode?: number }).exitCode ?? 1;
    return code === 0 ? exitCode.ok : exitCode.usage;
  }
  // A broken invariant of ours: CI must not read it as an alert that failed (exit code 1).
  const trace = process.env.FIREDRILL_DEBUG !== undefined && error instanceof Error;
  process.stderr.write(
    `firedrill itself failed: ${messageOf(error)}\n` +
      (trace ? `${error.stack}\n` : '(FIREDRILL_DEBUG=1 shows where)\n'),
  );
  return exitCode.environment;
}

// `firedrill … | head`: whoever reads has enough, and that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCode.ok);
});

process.exitCode = await main(process.argv);
