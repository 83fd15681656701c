/**
 * Forwards ports of pods, from any place that reaches the API server, with the caller's own rights (pods/portforward),
 * as kubectl port-forward does. Connections arrive at the pod's loopback, where alone a proxy's admin port answers all
 * calls.
 */
import { createServer, type AddressInfo } from 'node:net';
import { exitCode, UserError } from '../../../base/errors.js';
import type { CredentialOptions } from './credentials.js';

export interface PodPort {
  namespace: string;
  name: string;
  port: number;
}

export interface Forwarded {
  address: string;
  /** The API server's reason for refusing the last connection, in its words. */
  problem(): string | undefined;
}

/**
 * Returns a local address for each pod, in order; the addresses last as long as this process and do not keep it alive.
 */
export async function forwardToPods(
  options: CredentialOptions,
  pods: readonly PodPort[],
): Promise<Forwarded[]> {
  const { KubeConfig, PortForward } = await import('./kubeconfig.js');
  const config = new KubeConfig();
  if (options.kubeconfig) config.loadFromFile(options.kubeconfig);
  else config.loadFromDefault();
  if (options.context) config.setCurrentContext(options.context);
  const forward = new PortForward(config, true);
  return Promise.all(
    pods.map(async ({ namespace, name, port }) => {
      let problem: string | undefined;
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        forward
          .portForward(namespace, name, [port], socket, null, socket)
          .catch((error: unknown) => {
            problem = refusalOf(error);
            socket.destroy();
          });
      });
      server.unref();
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) => reject(new UserError(error.message, exitCode.environment)));
        server.listen(0, '127.0.0.1', resolve);
      });
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      return { address, problem: () => problem };
    }),
  );
}

/** Reads the reason of a refusal from a WebSocket's error: only a status, or an event with a message. */
function refusalOf(error: unknown): string {
  const said = error instanceof Error ? error.message : (error as { message?: unknown })?.message;
  const text = typeof said === 'string' && said !== '' ? said : 'refused';
  return text.includes('403')
    ? 'the API server forbids it: the right to pods/portforward is needed'
    : `through the API server: ${text}`;
}
