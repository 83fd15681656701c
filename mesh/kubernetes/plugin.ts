/** The controller loads this module if its configuration names Kubernetes; controller/plugins.ts has the interface. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { wordsOf } from '../../base/yaml.js';
import type { ControllerPlugin, PluginContext } from '../controller/plugins.js';
import { tokenAudience, TokenReviewAttestor } from './attestor.js';
import { KubeApi } from './client/api.js';
import { findCredentials } from './client/credentials.js';
import { KubernetesSource } from './discovery/kubernetes-source.js';
import { writeStatuses } from './discovery/status.js';
import { PublishedIssuerStore } from './published-issuer.js';
import { SecretIssuerStore } from './secret-issuer.js';
import { accessPolicies } from '../schema/choices.js';

const connection = { kubeconfig: z.string().optional(), context: z.string().optional() };

const sourceOptions = z.strictObject({
  ...connection,
  clusterDomain: z.string().default('cluster.local'),
  defaultPolicy: z.enum(accessPolicies).default('all-unauthenticated'),
  unknownDestinations: z.enum(['forward', 'refuse']).default('forward'),
});

const attestorOptions = z.strictObject({
  ...connection,
  audience: z.string().default(tokenAudience),
});

function read<S extends z.ZodType>(schema: S, options: unknown, what: string): z.output<S> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  throw new UserError(
    result.error.issues.map((i) => ({ message: `${what}: ${i.path.join('.')}: ${wordsOf(i)}` })),
  );
}

/** Undefined outside of a pod. */
function ownNamespace(): string | undefined {
  try {
    return readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'utf8').trim();
  } catch {
    return undefined;
  }
}

const apiOf = async (options: {
  kubeconfig?: string | undefined;
  context?: string | undefined;
}): Promise<KubeApi> => new KubeApi(await findCredentials(options));

export const createSource: ControllerPlugin['createSource'] = async (options, context) => {
  const {
    kubeconfig,
    context: name,
    ...rest
  } = read(sourceOptions, options, 'discovery (kubernetes)');
  const api = await apiOf({ kubeconfig, context: name });
  const source = new KubernetesSource(api, {
    ...rest,
    trustDomain: context.trustDomain,
    clock: context.clock,
    linksIn: ownNamespace(),
    log: (line) => context.log(line),
  });
  writeStatuses(api, source, {
    clock: context.clock,
    leading: () => context.lease.leading(),
    log: (line) => context.log(line),
  });
  return source;
};

export const createAttestor: ControllerPlugin['createAttestor'] = async (options) => {
  const { audience, ...rest } = read(attestorOptions, options, 'identity.kubernetes');
  return new TokenReviewAttestor(await apiOf(rest), audience);
};

export const createIssuerStore: ControllerPlugin['createIssuerStore'] = async (
  options,
  context: PluginContext,
) => {
  const { namespace, bundleConfigMap } = options;
  const api = await apiOf(options);
  const store = new SecretIssuerStore(api, {
    namespace,
    secret: options.secret,
    ownSecret: options.ownSecret,
    trustDomain: context.trustDomain,
    clock: context.clock,
    log: (line) => context.log(line),
  });
  return bundleConfigMap === undefined
    ? store
    : new PublishedIssuerStore(store, api, { namespace, configMap: bundleConfigMap });
};

export const publishBundle: ControllerPlugin['publishBundle'] = async (store, bundle) =>
  new PublishedIssuerStore(store, await apiOf(bundle), bundle);
