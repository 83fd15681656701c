/**
 * The supervisor of a `system: processes` as a program:
 * `node dist/chaos/system/processes/main.js FIREDRILL_YAML --folder DIR`. It starts every process, prints its admin
 * port as one JSON line and then each process that it starts, and ends all of them when it ends.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFolder } from '../../../base/make-folder.js';
import { dieWithParent } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { readDrill } from '../drill-file.js';
import { ProcessFaults } from './process-faults.js';
import { Supervisor } from './supervisor.js';
import { startSupervisorAdmin } from './supervisor-admin.js';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string' },
      'certificate-lifetime': { type: 'string', default: '24h' },
    },
  });
  const [file] = positionals;
  const lifetimeMs = parseDurationMs(values['certificate-lifetime']);
  if (file === undefined || values.folder === undefined || lifetimeMs === undefined) {
    throw new UserError({ message: 'too few arguments', expected: 'FILE --folder DIR' });
  }
  const drill = readDrill(file);
  if (drill.system.kind !== 'processes') throw new UserError(`${file}: not of processes`);
  const folder = resolve(values.folder);
  makeFolder(folder, 0o700);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const supervisor = await Supervisor.plan({
    drill,
    spec: drill.system,
    folder,
    certificateLifetimeMs: lifetimeMs,
    say,
  });
  const faults = new ProcessFaults(supervisor.processes, realClock, {
    disks: supervisor.disks,
    resolvers: supervisor.resolvers,
    ...(supervisor.layout.controller && {
      writeRegistry: (set) => supervisor.rewriteRegistry(set),
    }),
  });
  const end = (): void => {
    faults.close();
    void supervisor.close().finally(() => process.exit(0));
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  dieWithParent(end);
  const admin = await startSupervisorAdmin(supervisor, faults);
  process.stdout.write(`${JSON.stringify({ admin, pid: process.pid })}\n`);
  supervisor.processes.onStart = (started) => {
    process.stdout.write(`${JSON.stringify({ process: started })}\n`);
  };
  try {
    await supervisor.start();
  } catch (error) {
    // The process stays, so that the reason can be queried; its parent ends it.
    supervisor.failure = messageOf(error);
    say(messageOf(error));
    await supervisor.close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
