/**
 * A program beside a roll-out, whose standard input is a pipe from the roll-out. If the pipe ends without a message,
 * the roll-out was killed, and the warden sends all traffic back to the old version. The warden has a session of its
 * own, so it survives a kill of the roll-out's process group. Its argument names the weights, as JSON.
 */
import { spawn } from 'node:child_process';
import { outliveReaders } from '../../../base/child.js';
import { sleep } from '../../../base/clock.js';
import { program } from '../../../base/paths.js';
import { KubeApi } from '../client/api.js';
import { type CredentialOptions, findCredentials } from '../client/credentials.js';
import { stable } from './rollout.js';
import { weightsOf, type WeightsOf } from './weights.js';

interface Order {
  access: CredentialOptions;
  of: WeightsOf;
}

const done = 'done\n';
/** While the API server is away, the warden retries for an hour. */
const attempts = 1800;
const retryMs = 2000;

export function startRolloutWarden(order: Order): { dismiss(): void } {
  const script = program('mesh/kubernetes/rollout/warden');
  const child = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return { dismiss: () => void child.stdin.end(done) };
}

async function watch({ access, of }: Order): Promise<void> {
  outliveReaders();
  let said = '';
  for await (const chunk of process.stdin) said = (said + String(chunk)).slice(-100);
  if (said.endsWith(done)) return;
  // Kept: each client has connections of its own.
  let api: KubeApi | undefined;
  for (let left = attempts; left > 0; left--) {
    try {
      api ??= new KubeApi(await findCredentials(access));
      const weights = await weightsOf(api, of);
      await weights.set(stable);
      return;
    } catch {
      await sleep(retryMs);
    }
  }
}

const [, script, order] = process.argv;
if (script === program('mesh/kubernetes/rollout/warden') && order !== undefined) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  await watch(JSON.parse(order) as Order);
  process.exit(0);
}
