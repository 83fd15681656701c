/** Checks of the cluster before and after an installation: the API, permissions, the objects of install. */
import { messageOf } from '../../../base/errors.js';
import {
  type AnyObject,
  apiVersionOf,
  type Kind,
  resourceOf,
  resources,
} from '../client/objects.js';
import { labels } from '../annotations.js';
import { packageVersion } from '../../../base/paths.js';
import { customResources } from '../crds/definitions.js';
import { proveInjection } from '../install/injection-proof.js';
import { manifests } from '../install/manifests.js';
import { names, tagOf } from '../install/names.js';
import { type Rolled, whyNotRolledOut } from '../install/rolled-out.js';
import { defaultValues } from '../install/values.js';
import type { Check, CheckContext } from './model.js';

interface Status extends AnyObject {
  status?: {
    conditions?: { type: string; status: string; message?: string }[];
    replicas?: number;
    availableReplicas?: number;
  };
  spec?: { replicas?: number; template?: { spec?: { containers?: { image?: string }[] } } };
}

const reinstall = 'run firedrill install --apply (or upgrade --apply)';

/** Kubernetes 1.25: the first version with everything that is applied. */
const oldestMinor = 25;

export const apiChecks: Check[] = [
  {
    id: 'k8s-config',
    category: 'kubernetes-api',
    description: 'a kubeconfig or an account names the cluster',
    fatal: true,
    run: ({ unconfigured }) => {
      const fix = 'give --kubeconfig FILE (and --context), or set $KUBECONFIG';
      return Promise.resolve(
        unconfigured === undefined ? undefined : { reason: unconfigured, fix },
      );
    },
  },
  {
    id: 'k8s-api-reachable',
    category: 'kubernetes-api',
    description: 'can query the Kubernetes API',
    fatal: true,
    run: async ({ api }) => {
      try {
        await api.call('GET', '/version');
        return undefined;
      } catch (error) {
        const fix =
          'try kubectl version: is it up, is a VPN or firewall between, are you logged in?';
        return { reason: messageOf(error), fix };
      }
    },
  },
  {
    id: 'k8s-api-version',
    category: 'kubernetes-version',
    description: `is running at least Kubernetes 1.${oldestMinor}`,
    run: async ({ api }) => {
      const version = (await api.call('GET', '/version')) as {
        major: string;
        minor: string;
        gitVersion: string;
      };
      if (Number(version.major) > 1 || Number.parseInt(version.minor) >= oldestMinor)
        return undefined;
      return {
        reason: `the API server is ${version.gitVersion}`,
        fix: 'upgrade the cluster first',
      };
    },
  },
  {
    id: 'k8s-clock-skew',
    category: 'kubernetes-api',
    description: "this machine's clock and the API server's differ by less than 5 minutes",
    warning: true,
    run: async ({ api, clock }) => {
      // The server dates a dry run, and stores nothing.
      const made = await api.call('POST', '/api/v1/namespaces?dryRun=All', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'firedrill-clock-check' },
      });
      const at = Date.parse((made as AnyObject).metadata.creationTimestamp ?? '');
      const skewSeconds = Math.abs(clock.nowMs() - at) / 1000;
      if (skewSeconds < 300) return undefined;
      return {
        reason: `they differ by ${Math.round(skewSeconds)} s, so certificates seem expired or not yet valid`,
        fix: 'synchronise both clocks (NTP)',
      };
    },
  },
  {
    id: 'gateway-api-crds',
    category: 'gateway-api-crd',
    description: 'the Gateway API is installed (HTTPRoute and GRPCRoute v1)',
    warning: true,
    run: async ({ api }) => {
      const missing: string[] = [];
      for (const kind of ['HTTPRoute', 'GRPCRoute'] as const) {
        const { plural, group } = resources[kind];
        const found = await api.find(
          resources.CustomResourceDefinition,
          undefined,
          `${plural}.${group}`,
        );
        if (!found) missing.push(kind);
      }
      if (missing.length === 0) return undefined;
      return {
        reason: `${missing.join(' and ')} not installed: routes must be written as ServiceProfiles`,
        fix: 'install the Gateway API CRDs, standard channel',
      };
    },
  },
];

const creates: readonly Kind[] = [
  'Namespace',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'ServiceAccount',
  'Service',
  'Deployment',
  'ConfigMap',
  'Secret',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
];

export const preChecks: Check[] = [
  {
    id: 'pre-namespace-free',
    category: 'pre-kubernetes-setup',
    description: 'the control plane namespace does not exist yet',
    run: async ({ api, namespace }) => {
      const found = await api.find(resources.Namespace, undefined, namespace);
      if (!found) return undefined;
      return {
        reason: `namespace ${namespace} exists`,
        fix: 'run firedrill upgrade, or uninstall first, or choose another with --namespace',
      };
    },
  },
  {
    id: 'pre-foreign-crds',
    category: 'pre-kubernetes-setup',
    description: 'no definition of somebody else is in the way',
    warning: true,
    run: async ({ api }) => {
      for (const { metadata } of customResources()) {
        const { name } = metadata;
        const found = await api.find(resources.CustomResourceDefinition, undefined, name);
        if (!found || found.metadata.labels?.[labels.partOf] === 'firedrill') continue;
        return {
          reason: `${name} is installed by somebody else`,
          fix: 'nothing to do: it is left as it is, and read where it serves a version that we know',
        };
      }
      return undefined;
    },
  },
  ...creates.map((kind): Check => ({
    id: `pre-can-create-${resources[kind].plural}`,
    category: 'pre-kubernetes-setup',
    description: `can create ${kind}s`,
    run: async ({ api, namespace }) => {
      const { group, plural, namespaced } = resources[kind];
      const review = await api.create<{ status: { allowed: boolean; reason?: string } }>({
        apiVersion: apiVersionOf(resources.SelfSubjectAccessReview),
        kind: 'SelfSubjectAccessReview',
        metadata: { name: '' },
        spec: {
          resourceAttributes: {
            group,
            resource: plural,
            verb: 'create',
            ...(namespaced ? { namespace } : {}),
          },
        },
      });
      if (review.status.allowed) return undefined;
      return {
        reason: `RBAC forbids it: ${review.status.reason ?? 'no rule allows it'}`,
        fix: 'ask for cluster-admin for the time of the installation',
      };
    },
  })),
];

const expected = (namespace: string, kinds: readonly string[]): AnyObject[] =>
  manifests({ ...defaultValues(), namespace })
    .filter((m) => m.when === undefined && kinds.includes(m.object.kind))
    .map((m) => m.object);

const present =
  (...kinds: Kind[]) =>
  async ({ api, namespace }: CheckContext) => {
    const missing: string[] = [];
    for (const { kind, metadata } of expected(namespace, kinds)) {
      const found = await api.find(resourceOf(kind), metadata.namespace, metadata.name);
      if (!found) missing.push(`${kind} ${metadata.name}`);
    }
    if (missing.length === 0) return undefined;
    return { reason: `missing: ${missing.join(', ')}`, fix: reinstall };
  };

const condition = (object: Status | undefined, type: string): boolean =>
  object?.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

export const installedChecks: Check[] = [
  {
    id: 'crds-established',
    category: 'firedrill-crd',
    description: 'the custom resources are installed and served',
    run: async ({ api }) => {
      const bad: string[] = [];
      for (const { metadata } of customResources()) {
        const crd = await api.find<Status>(
          resources.CustomResourceDefinition,
          undefined,
          metadata.name,
        );
        if (!condition(crd, 'Established')) bad.push(metadata.name);
      }
      return bad.length === 0
        ? undefined
        : { reason: `not served: ${bad.join(', ')}`, fix: reinstall };
    },
  },
  {
    id: 'config-namespace',
    category: 'firedrill-config',
    description: 'the control plane namespace exists',
    fatal: true,
    run: async ({ api, namespace }) => {
      const found = await api.find(resources.Namespace, undefined, namespace);
      return found ? undefined : { reason: `no namespace ${namespace}`, fix: reinstall };
    },
  },
  {
    id: 'config-accounts',
    category: 'firedrill-config',
    description: 'service accounts, roles and bindings exist',
    run: present('ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'),
  },
  {
    id: 'config-objects',
    category: 'firedrill-config',
    description: 'configuration, secrets and services exist',
    run: present('ConfigMap', 'Secret', 'Service'),
  },
  {
    id: 'webhooks-configured',
    category: 'firedrill-webhooks',
    description: 'the injector and the validator are configured',
    run: present('MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'),
  },
  {
    id: 'control-plane-available',
    category: 'firedrill-existence',
    description: 'the control plane is available',
    run: async ({ api, namespace }) => {
      const bad: string[] = [];
      const half: string[] = [];
      for (const name of [names.controller, names.injector]) {
        const found = await api.find<Status & Rolled>(resources.Deployment, namespace, name);
        // A Deployment with zero replicas also has the condition `available`.
        const isNone = found?.spec?.replicas === 0;
        if (isNone || !condition(found, 'Available')) {
          const said = found?.status?.conditions?.find((c) => c.type === 'Available')?.message;
          const why = isNone ? 'scaled to 0 replicas' : (said ?? 'no available replica');
          bad.push(`${name}${found ? ` (${why})` : ' does not exist'}`);
        } else {
          const why = found && whyNotRolledOut(found);
          if (why !== undefined) half.push(`${name}: ${why}`);
        }
      }
      if (bad.length === 0 && half.length > 0)
        return { warning: true, reason: half.join('; '), fix: `kubectl -n ${namespace} get pods` };
      if (bad.length === 0) return undefined;
      return { reason: bad.join('; '), fix: `kubectl -n ${namespace} describe deployment` };
    },
  },
  {
    id: 'injection-works',
    category: 'firedrill-webhooks',
    description: 'a pod created now is given its proxy (a dry run)',
    run: async ({ api, namespace }) => {
      const proof = await proveInjection(api);
      if (proof.state === 'proven') return undefined;
      return proof.state === 'missing'
        ? { reason: proof.reason, fix: `kubectl -n ${namespace} logs deployment/${names.injector}` }
        : {
            warning: true,
            reason: `not known: ${proof.reason}`,
            fix: 'run check as somebody whose pods the cluster admits to namespace default',
          };
    },
  },
  {
    id: 'control-plane-version',
    category: 'control-plane-version',
    description: 'the control plane and this command have one version',
    warning: true,
    run: async ({ api, namespace }) => {
      const found = await api.find<Status>(resources.Deployment, namespace, names.controller);
      const image = found?.spec?.template?.spec?.containers?.[0]?.image ?? '';
      const tag = tagOf(image);
      // An image that is named by its digest alone shows no version.
      if (tag === packageVersion() || (image !== '' && tag === '')) return undefined;
      return {
        reason: `the controller runs ${tag || 'nothing'}, this is ${packageVersion()}`,
        fix: 'run firedrill upgrade --apply',
      };
    },
  },
  {
    id: 'ha-replicas',
    category: 'firedrill-ha-checks',
    description: 'no single pod is the whole control plane',
    warning: true,
    run: async ({ api, namespace }) => {
      const few: string[] = [];
      for (const name of [names.controller, names.injector]) {
        const found = await api.find<Status>(resources.Deployment, namespace, name);
        if ((found?.spec?.replicas ?? 0) < 2) few.push(`${name} has ${found?.spec?.replicas ?? 0}`);
      }
      if (few.length === 0) return undefined;
      return { reason: `replicas: ${few.join(', ')}`, fix: 'run firedrill upgrade --ha --apply' };
    },
  },
];
