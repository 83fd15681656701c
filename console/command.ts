/** `firedrill console`: a drill in the browser, while it runs or afterwards. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exitCode, UserError } from '../base/errors.js';
import { eventFileName } from '../chaos/gameday/event-file.js';

interface Options {
  report: string;
  port: string;
  state: string;
  allowDrills?: boolean;
}

export function registerConsole(parent: Command): void {
  parent
    .command('console')
    .description('a drill in the browser: live while it runs, to be played again afterwards')
    .option('--report <folder>', 'that gameday run writes (--out)', 'gameday-report')
    .option('--port <number>', 'on 127.0.0.1; 0: any that is free', '0')
    .option('--allow-drills', 'let viewers stop a drill by the kill switch')
    .option('--state <folder>', 'where the kill switch is', '.firedrill')
    .addHelpText(
      'after',
      `
It prints an address with a token that is good for one visit, and a new one when that was used. It listens on loopback
alone: for a colleague's screen, forward the port (ssh -L).

Examples:
  firedrill gameday run & firedrill console --allow-drills
  firedrill console --report gameday-report --port 8080`,
    )
    .action(async (options: Options) => {
      process.exitCode = await consoleCommand(options);
    });
}

async function consoleCommand(options: Options): Promise<number> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    const message = `bad --port '${options.port}'`;
    throw new UserError({ message, expected: 'a port from 0 to 65535' });
  }
  if (!existsSync(options.report)) {
    process.stderr.write(`${options.report} is not there yet: waiting for a drill\n`);
  } else if (![eventFileName, 'record.json'].some((n) => existsSync(join(options.report, n)))) {
    process.stderr.write(`${options.report} holds no drill yet: waiting for one\n`);
  }
  const { startConsole } = await import('./server.js');
  const running = await startConsole({
    folder: options.report,
    port,
    ...(options.allowDrills && { stateFolder: options.state }),
    onAddress: (address) => process.stdout.write(`${address}\n`),
  });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await running.close();
  return exitCode.ok;
}
