/** Runs an installation's control plane: controller and injector, each with its own service account. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Child, startNode } from '../../base/child.js';
import { realClock } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { controllerEnvironment, controllerNodeFlags } from '../../mesh/controller/node-flags.js';
import { ports } from '../../mesh/kubernetes/annotations.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import { injectOptionsOf } from '../../mesh/kubernetes/inject/config.js';
import { type Injector, startInjector } from '../../mesh/kubernetes/inject/injector.js';
import { applyAll } from '../../mesh/kubernetes/install/apply.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { names } from '../../mesh/kubernetes/install/names.js';
import type { Values } from '../../mesh/kubernetes/install/values.js';
import type { Cluster } from './cluster.js';

export async function install(cluster: Cluster, values: Values, revision = ''): Promise<void> {
  const objects = manifests(values, revision).map((m) => m.object);
  await applyAll(cluster.admin, objects, () => undefined);
}

/**
 * Starts a controller by its ConfigMap, but on the node's address, with a kubeconfig of its service account, and with
 * proxies that renew at once when the issuer changes.
 */
export async function startInstalledController(
  cluster: Cluster,
  host: string,
  revision = '',
): Promise<Child> {
  const name = revision === '' ? names.controller : `${names.controller}-${revision}`;
  const map = await cluster.admin.get<{ data: Record<string, string> }>(
    resources.ConfigMap,
    'firedrill',
    `${name}-config`,
  );
  const config = parse(map.data['controller.yaml'] ?? '') as {
    listen: object;
    admin: object;
    identity: { issuer: object; kubernetes: object };
    discovery: object[];
  };
  const token = await cluster.tokenOf('firedrill', names.controller);
  const kubeconfig = cluster.writeKubeconfig(`${name}-kubeconfig.yaml`, token);
  const file = join(cluster.folder, `${name}.yaml`);
  writeFileSync(
    file,
    JSON.stringify({
      ...config,
      listen: { ...config.listen, host },
      admin: { ...config.admin, host },
      identity: {
        ...config.identity,
        issuer: { ...config.identity.issuer, kubeconfig },
        kubernetes: { kubeconfig },
        renewSpread: '1s',
      },
      discovery: config.discovery.map((source) => ({ ...source, kubeconfig })),
    }),
  );
  const child = startNode(name, program('mesh/controller/main'), ['--config', file], {
    nodeFlags: controllerNodeFlags,
    env: { ...controllerEnvironment },
    onStderr: (line) => {
      if (process.env.FIREDRILL_DEBUG !== undefined) process.stderr.write(`${name}: ${line}\n`);
    },
  });
  await child.ready;
  return child;
}

export const controllerAdmin = (host: string): string => `http://${host}:${ports.controllerAdmin}`;

/** Starts the webhook on loopback, and points the API server to it instead of a service. */
export async function startInstalledInjector(cluster: Cluster, values: Values): Promise<Injector> {
  const { admin } = cluster;
  const api = await cluster.as('firedrill', names.injector);
  const injector = await startInjector(
    api,
    realClock,
    {
      listen: { host: '127.0.0.1', port: 0 },
      namespace: 'firedrill',
      serviceName: names.injector,
      extraNames: ['localhost'],
      certificateSecret: names.webhookSecret,
      mutatingWebhook: names.mutatingWebhook,
      validatingWebhook: names.validatingWebhook,
      trustAnchorsConfigMap: names.bundle,
      certificateLifetimeMs: 86_400_000,
      replica: 'test',
      inject: injectOptionsOf(values),
    },
    () => undefined,
  );
  for (const [kind, name, path] of [
    ['MutatingWebhookConfiguration', names.mutatingWebhook, '/inject'],
    ['ValidatingWebhookConfiguration', names.validatingWebhook, '/validate'],
  ] as const) {
    const url = `https://localhost:${injector.port}${path}`;
    await admin.patch<AnyObject>(resources[kind], undefined, name, [
      { op: 'remove', path: '/webhooks/0/clientConfig/service' },
      { op: 'add', path: '/webhooks/0/clientConfig/url', value: url },
      { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Fail' },
    ]);
  }
  return {
    port: injector.port,
    stop: async () => {
      await injector.stop();
      api.close();
    },
  };
}
