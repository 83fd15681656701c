/**
 * Ports of pods from anywhere that reaches the API server, with the caller's own rights (pods/portforward): as
 * kubectl port-forward does it. What comes arrives at the pod's loopback, where alone a proxy's admin port answers all.
 */
import { createServer, type AddressInfo } from 'node:net';
import { exitCode, UserError } from '../../../base/errors.js';
import type { CredentialOptions } from './credentials.js';

export interface PodPort {
  namespace: string;
  name: string;
  port: number;
}

/** A local address for each pod, in their order; they last as long as this process does, and do not keep it alive. */
export async function forwardToPods(
  options: CredentialOptions,
  pods: readonly PodPort[],
): Promise<string[]> {
  const { KubeConfig, PortForward } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (options.kubeconfig) config.loadFromFile(options.kubeconfig);
  else config.loadFromDefault();
  if (options.context) config.setCurrentContext(options.context);
  const forward = new PortForward(config, true);
  return Promise.all(
    pods.map(async ({ namespace, name, port }) => {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        forward
          .portForward(namespace, name, [port], socket, null, socket)
          .catch(() => socket.destroy());
      });
      server.unref();
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) => reject(new UserError(error.message, exitCode.environment)));
        server.listen(0, '127.0.0.1', resolve);
      });
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
}
