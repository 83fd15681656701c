/** A TCP relay as a process: `node dist/chaos/relay/main.js LISTEN ADMIN UPSTREAM...`, each `host:port`. */
import { dieWithParent, outliveReaders } from '../../base/child.js';
import { realClock } from '../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { systemRandom } from '../../base/random.js';
import { readAddress } from './address.js';
import { Relay } from './relay.js';
import { startRelayAdmin } from './relay-admin.js';

async function main([listen, admin, ...upstreams]: readonly string[]): Promise<void> {
  outliveReaders();
  if (listen === undefined || admin === undefined || upstreams.length === 0) {
    throw new UserError({ message: 'too few arguments', expected: 'LISTEN ADMIN UPSTREAM...' });
  }
  const relay = new Relay({
    listen: readAddress(listen),
    upstreams: upstreams.map(readAddress),
    clock: realClock,
    random: systemRandom,
  });
  const end = (): void => {
    relay.close();
    process.exit(0);
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  dieWithParent(end);
  const port = await relay.listen();
  const served = await startRelayAdmin(relay, readAddress(admin));
  const ready = { ready: true, port, admin: served.port, pid: process.pid };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
