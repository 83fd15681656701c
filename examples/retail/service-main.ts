/** One service of the shop as a process: `node dist/examples/retail/service-main.js '{"service":"cart", ...}'`. */
import { dieWithParent } from '../../base/child.js';
import { Peers } from './peers.js';
import { startService } from './service.js';
import { services } from './services.js';

export interface ServiceOptions {
  service: string;
  namespace: string;
  port: number;
  adminPort: number;
  /** The sidecar's outbound `host:port`; without a mesh, `direct` has the address of each service instead. */
  outbound?: string;
  direct?: Record<string, string>;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ServiceOptions;
const description = services[options.service];
if (!description) {
  process.stderr.write(`no service '${options.service}'\n`);
  process.exit(2);
}
const way =
  options.outbound === undefined
    ? { direct: options.direct ?? {} }
    : { outbound: options.outbound };
const running = await startService(description, {
  port: options.port,
  adminPort: options.adminPort,
  peers: new Peers(options.namespace, way),
});
const stop = (): void => {
  void running.close().finally(() => process.exit(0));
};
process.on('SIGTERM', stop).on('SIGINT', stop);
dieWithParent(() => process.exit(0));
const { port, adminPort: admin } = running;
process.stdout.write(`${JSON.stringify({ ready: true, port, admin, pid: process.pid })}\n`);
