/** `firedrill canary`: compares the proxies that moved to another control plane with those that did not. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import type { Side } from './canary.js';
import { registerRollout } from '../rollout/rollout-command.js';
import { look, type Options, targeted } from './observe-commands.js';
import { formatOption } from '../../../base/format-option.js';

interface Flags extends Options {
  revision: string;
  controller?: string;
  minRequests: string;
}

export function registerCanary(program: Command): void {
  // Options after the verb belong to the verb.
  const canaryCommand = program.command('canary').enablePositionalOptions();
  registerRollout(canaryCommand);
  targeted(
    canaryCommand.description(
      'Judge a canary upgrade of the control plane: workloads on the new beside the old',
    ),
  )
    .option('--revision <name>', 'as in upgrade --revision', 'canary')
    .option('--controller <addresses>', "the canary's, outside of Kubernetes, with commas between")
    .option('--min-requests <n>', 'requests of each side before a verdict', '100')
    .option('--window <duration>', 'time of observation', '30s')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Examples:
  firedrill upgrade --revision canary --apply
  kubectl annotate namespace retail mesh.firedrill.dev/revision=canary && kubectl rollout restart -n retail deploy/cart
  firedrill canary --revision canary --window 5m && echo go on
  firedrill canary --controller 127.0.0.1:8087 --proxies 4191,4192

Exit code 1 where a workload is worse, or too little was seen to say.`,
    )
    .action(canary);
}

async function canary(flags: Flags): Promise<void> {
  const minRequests = Number(flags.minRequests);
  if (!Number.isInteger(minRequests) || minRequests < 1) {
    throw new UserError({
      message: `--min-requests ${flags.minRequests}`,
      expected: 'a number above 0',
    });
  }
  const { compareRevisions, defaultTolerance, follows } = await import('./canary.js');
  const addresses = (flags.controller ?? '').split(',').filter((a) => a !== '');
  const rows = compareRevisions(await look(flags), follows(flags.revision, addresses), {
    ...defaultTolerance,
    minRequests,
  });
  if (rows.length === 0) {
    throw new UserError(`no proxy follows revision ${flags.revision}`, exitCode.failed);
  }
  if (rows.some((row) => row.verdict !== 'no worse')) process.exitCode = exitCode.failed;
  if (flags.format === 'json') {
    process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
    return;
  }
  const { formatTable } = await import('../../../base/terminal.js');
  const cells = (side: Side): string[] => [
    String(side.requests),
    side.successRatio === null ? '-' : `${(100 * side.successRatio).toFixed(2)}%`,
    side.latencyMsP99 === null ? '-' : `${Math.round(side.latencyMsP99)}ms`,
  ];
  const header = ['WORKLOAD', 'REQUESTS', 'SUCCESS', 'P99', 'CANARY', 'SUCCESS', 'P99', 'VERDICT'];
  const lines = rows.map((row) => [
    row.workload,
    ...cells(row.stable),
    ...cells(row.canary),
    `${row.verdict}: ${row.why}`,
  ]);
  process.stdout.write(`${formatTable(header, lines)}\n`);
}
