/** The injector's configuration file, and the installation's values that the injector needs. */
import { hostname } from 'node:os';
import * as z from 'zod';
import { realClock } from '../../../base/clock.js';
import { packageVersion } from '../../../base/paths.js';
import { UserError } from '../../../base/errors.js';
import { checkYaml, readYaml } from '../../../base/yaml.js';
import { ports } from '../annotations.js';
import { names } from '../install/names.js';
import type { Values } from '../install/values.js';
import type { InjectOptions } from './inject.js';
import { startInjector } from './injector.js';

const weekMs = 7 * 86_400_000;

const schema = z.strictObject({
  namespace: z.string(),
  listen: z.strictObject({ host: z.string(), port: z.int() }),
  trustDomain: z.string(),
  image: z.string(),
  nativeSidecar: z.boolean(),
  drainSeconds: z.int(),
  otlpUrl: z.string(),
  redirector: z.boolean(),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
    limits: z.strictObject({ memory: z.string() }),
  }),
});

export function injectOptionsOf(
  values: Pick<Values, 'namespace' | 'trustDomain' | 'image' | 'proxy'> & {
    redirector: { enabled: boolean };
  },
): Omit<InjectOptions, 'trustAnchors'> {
  const { nativeSidecar, drainSeconds, otlpUrl, resources } = values.proxy;
  return {
    image: values.image,
    version: packageVersion(),
    trustDomain: values.trustDomain,
    controlNamespace: values.namespace,
    controllerAddress: `${names.controller}.${values.namespace}.svc:${ports.controllerGrpc}`,
    nativeSidecar,
    drainSeconds,
    redirector: values.redirector.enabled,
    otlpUrl: otlpUrl === '' ? undefined : otlpUrl,
    resources: {
      cpuRequest: resources.requests.cpu,
      memoryRequest: resources.requests.memory,
      memoryLimit: resources.limits.memory,
    },
  };
}

/** Prints its port as one line of JSON, and serves until SIGTERM. */
export async function runInjector(file: string, kubeconfig: string | undefined): Promise<void> {
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const [document] = readYaml(file);
  if (!document) throw new UserError(`${file}: empty`);
  const config = checkYaml(document, schema);
  const api = new KubeApi(await findCredentials({ kubeconfig }));
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const injector = await startInjector(
    api,
    realClock,
    {
      listen: config.listen,
      namespace: config.namespace,
      serviceName: names.injector,
      certificateSecret: names.webhookSecret,
      mutatingWebhook: names.mutatingWebhook,
      validatingWebhook: names.validatingWebhook,
      trustAnchorsConfigMap: names.bundle,
      certificateLifetimeMs: weekMs,
      replica: hostname(),
      inject: injectOptionsOf({
        ...config,
        proxy: config,
        redirector: { enabled: config.redirector },
      }),
    },
    log,
  );
  process.stdout.write(
    `${JSON.stringify({ ready: true, port: injector.port, pid: process.pid })}\n`,
  );
  await new Promise<void>((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
  await injector.stop();
  api.close();
}
