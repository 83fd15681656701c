/** The controller as a process: `node dist/mesh/controller/main.js --config controller.yaml`. */
import { realClock } from '../../base/clock.js';
import { dieWithParent, outliveReaders } from '../../base/child.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { readControllerConfig } from './config.js';
import { startController } from './controller.js';
import { controllerLimits, startHeapTrim } from '../proxy/heap-trim.js';
import { holdings } from '../proxy/listen/holdings.js';

/** Starts a controller, prints its ports as one JSON line, and stops it on SIGTERM or SIGINT. */
export async function runController(file: string): Promise<void> {
  outliveReaders();
  const log = (line: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  };
  const controller = await startController(readControllerConfig(file), { log });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void controller.stop().finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  dieWithParent(stop);
  startHeapTrim(realClock, () => controller.sessions.size, controllerLimits);
  const { grpcPort: grpc, adminPort: admin } = controller;
  process.stdout.write(`${JSON.stringify({ ready: true, grpc, admin, pid: process.pid })}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const at = argv.indexOf('--config');
  const file = at < 0 ? undefined : argv[at + 1];
  if (file === undefined) throw new UserError('--config FILE is missing');
  await runController(file);
}

// The command line imports this file too; the controller starts at once only if the file runs as the program.
if (process.argv[1] === program('mesh/controller/main')) {
  // Each TLS connection keeps a few bytes of a pool for its whole life, and with them the pool: 8 kB by default.
  Buffer.poolSize = 1024;
  // Thousands of proxies may be slow at once, each with the 64 kB that a connection may have unsent.
  holdings.limitBytes = 256 * 1024 * 1024;
  main(process.argv.slice(2)).catch((error: unknown) => {
    const text = error instanceof UserError ? error.message : (error as Error).stack;
    process.stderr.write(`${text ?? messageOf(error)}\n`);
    process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
  });
}
