/**
 * The proxy as a process: `node dist/mesh/proxy/main.js --config proxy.json`. It must stay small: it runs beside
 * every app.
 */
import { dirname, resolve } from 'node:path';
import { dieWithParent, outliveReaders } from '../../base/parent.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';
import { oldRuntimeWarning } from '../../base/old-runtime.js';
import { packageVersion, program } from '../../base/paths.js';
import { systemRandom } from '../../base/random.js';
import type { ProxyConfig } from '../model.js';
import { alignedClock } from './aligned-clock.js';
import { checkedConfig } from './config.js';
import { absolutePaths } from './config-paths.js';
import { watchState } from './config-watch.js';
import { startHeapTrim } from './heap-trim.js';
import { Proxy } from './proxy.js';

const log = (line: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
};

/** Reads JSON here; YAML is read by a separate process, whose memory is freed when it exits. */
async function readConfig(file: string): Promise<ProxyConfig> {
  if (!/\.ya?ml$/.test(file)) {
    const text = readInput(file);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new UserError(`${file}: ${messageOf(error)}`);
    }
    return absolutePaths(checkedConfig(value, file), dirname(resolve(file)));
  }
  try {
    // Loaded here only: it takes some milliseconds of a start. Awaited, since traffic goes on while a change is read.
    const { execFile } = process.getBuiltinModule('node:child_process');
    const { promisify } = process.getBuiltinModule('node:util');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [program('mesh/proxy/config-file'), file],
      { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
    );
    return JSON.parse(stdout) as ProxyConfig;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw new UserError(said || messageOf(error));
  }
}

async function main(argv: readonly string[]): Promise<void> {
  outliveReaders();
  const at = argv.indexOf('--config');
  const file = at < 0 ? undefined : argv[at + 1];
  if (file === undefined) throw new UserError('--config FILE is missing');
  const config = await readConfig(file);
  const proxy = new Proxy({
    config,
    clock: alignedClock,
    random: systemRandom,
    version: packageVersion(),
    log,
  });
  let isEnding = false;
  const end = (): void => {
    // A second signal ends the process at once.
    if (isEnding) process.exit(exitCode.interrupted);
    isEnding = true;
    void proxy.drain.start().finally(() => process.exit(0));
  };
  proxy.onShutdown = end;
  process.on('SIGTERM', end).on('SIGINT', end);
  dieWithParent(() => void proxy.stop().finally(() => process.exit(0)));
  process.on('uncaughtException', (error) => log(`uncaught: ${error.stack ?? error.message}`));
  await proxy.start();
  if (!config.controller) watchState(file, proxy, readConfig, alignedClock, log);
  startHeapTrim(alignedClock, () => proxy.connections);
  const ready = { ready: true, ...proxy.ports, pid: process.pid };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  const warning = oldRuntimeWarning(process.versions.node);
  if (warning !== undefined) log(warning);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof UserError ? error.message : (error as Error).stack;
  process.stderr.write(`${text ?? messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
