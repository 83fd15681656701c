/** Every object of an installation, from its values. The Helm chart comes from the same call with symbols as values. */
import { controllerEnvironment, controllerNodeFlags } from '../../controller/node-flags.js';
import { stringify } from 'yaml';
import { UserError } from '../../../base/errors.js';
import { isRevision, labels, ports } from '../annotations.js';
import type { AnyObject } from '../client/objects.js';
import { customResources } from '../crds/definitions.js';
import { webhookObjects } from './webhooks.js';
import { type MonitoringParts, monitoringObjects } from './monitoring.js';
import { controllerIdentityOf, names } from './names.js';
import { rbacObjects } from './rbac.js';
import { redirectorObjects } from './redirector.js';
import type { Values } from './values.js';

/** An object, and the boolean value on which it depends (`networkPolicy.enabled`), if any. */
export interface Manifest {
  object: AnyObject;
  when?: string;
}

/**
 * Objects in the order of their installation; sync waves keep that order in Argo CD. `revision` (or '') names a second
 * control plane beside the first: only its controller, which shares everything else. `parts`: the inputs of monitoring.
 */
export function manifests(values: Values, revision = '', parts?: MonitoringParts): Manifest[] {
  if (revision !== '' && !isRevision(revision)) {
    throw new UserError({
      message: `--revision ${revision}`,
      expected: 'a name of a-z, 0-9 and -, at most 42 characters',
    });
  }
  const { namespace } = values;
  if (revision !== '')
    return controllerObjects(values, revision).map((m) => finish(m, 2, namespace));
  const always = (object: AnyObject): Manifest => ({ object });
  return [
    ...[namespaceObject(namespace), ...customResources()]
      .map(always)
      .map((m) => finish(m, -2, namespace)),
    ...rbacObjects(namespace, values.identity.issuerSecret)
      .map(always)
      .map((m) => finish(m, -1, namespace)),
    // Empty: the controller fills these objects, so that no key passes through manifests, charts or a Git repository.
    ...[
      secret(namespace, names.issuerSecret),
      secret(namespace, names.webhookSecret),
      configMap(namespace, names.bundle),
    ].map((object) => finish({ object }, 0, namespace)),
    ...(parts ? monitoringObjects(values, parts) : []).map((m) => finish(m, 0, namespace)),
    // Before the injector, whose pods then rely on it.
    ...redirectorObjects(values).map((m) => finish(m, 0, namespace)),
    ...[...controllerObjects(values, ''), ...injectorObjects(values)].map((m) =>
      finish(m, 1, namespace),
    ),
    // Installed with the injector and not after it: the injector is ready when the webhooks have its certificate.
    ...webhookObjects(values)
      .map(always)
      .map((m) => finish(m, 1, namespace)),
  ];
}

function finish({ object, ...rest }: Manifest, wave: number, namespace: string): Manifest {
  const { metadata } = object;
  const waves = wave === 0 ? {} : { 'argocd.argoproj.io/sync-wave': String(wave) };
  const annotations = { ...metadata.annotations, ...waves };
  return {
    ...rest,
    object: {
      ...object,
      metadata: {
        ...metadata,
        labels: {
          [labels.partOf]: 'firedrill',
          [labels.installation]: namespace,
          ...metadata.labels,
        },
        ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      },
    },
  };
}

const namespaceObject = (name: string): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { [labels.podSecurity]: 'restricted' } },
});

const secret = (namespace: string, name: string): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  type: 'Opaque',
});

const configMap = (namespace: string, name: string, data?: Record<string, string>): AnyObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  ...(data ? { data } : {}),
});

function controllerObjects(values: Values, revision: string): Manifest[] {
  const { namespace } = values;
  const name = revision === '' ? names.controller : `${names.controller}-${revision}`;
  const config = {
    trustDomain: values.trustDomain,
    listen: { host: '0.0.0.0', port: ports.controllerGrpc },
    admin: { host: '0.0.0.0', port: ports.controllerAdmin },
    identity: {
      // The controller's identity, which the injector passes to proxies.
      name: controllerIdentityOf(namespace, values.trustDomain),
      issuer: {
        kind: 'kubernetes',
        namespace,
        secret: values.identity.issuerSecret,
        ownSecret: names.issuerSecret,
        bundleConfigMap: names.bundle,
      },
      vault: vaultOf(values),
      certificateLifetime: values.identity.certificateLifetime,
      kubernetes: {},
    },
    discovery: [
      {
        kind: 'kubernetes',
        clusterDomain: values.clusterDomain,
        defaultPolicy: values.defaultInboundPolicy,
      },
    ],
  };
  const app = { app: name };
  const listening = { grpc: ports.controllerGrpc, admin: ports.controllerAdmin };
  const command = [
    'node',
    ...controllerNodeFlags,
    '/app/dist/mesh/controller/main.js',
    '--config',
    '/etc/firedrill/controller.yaml',
  ];
  return [
    { object: configMap(namespace, `${name}-config`, { 'controller.yaml': stringify(config) }) },
    { object: service(namespace, name, app, listening) },
    {
      object: deployment(values, name, names.controller, values.controller, command, listening, {
        ...controllerEnvironment,
      }),
    },
    { when: 'podDisruptionBudget.enabled', object: disruptionBudget(namespace, name) },
    {
      when: 'networkPolicy.enabled',
      object: networkPolicy(namespace, name, [
        // Proxies of any namespace.
        { ports: [{ port: ports.controllerGrpc, protocol: 'TCP' }] },
        // The admin port also accepts faults for drills: only from our own namespace, and from the allowed scrapers.
        {
          from: [
            { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
            { namespaceSelector: { matchLabels: { [labels.scrape]: 'true' } } },
          ],
          ports: [{ port: ports.controllerAdmin, protocol: 'TCP' }],
        },
      ]),
    },
  ];
}

const vaultFolder = '/etc/firedrill-vault';

function vaultOf({ namespace, identity: { vault } }: Values): object {
  const { enabled, address, mount, role, loginMount, loginRole } = vault;
  return {
    enabled,
    address,
    mount,
    role,
    login: { mount: loginMount, role: loginRole },
    caFile: `${vaultFolder}/ca.crt`,
    bundle: { namespace, configMap: names.bundle },
  };
}

function injectorObjects(values: Values): Manifest[] {
  const { namespace } = values;
  const name = names.injector;
  const command = [
    'node',
    '/app/dist/cli.js',
    'injector',
    '--config',
    '/etc/firedrill/injector.yaml',
  ];
  const config = {
    namespace,
    listen: { host: '0.0.0.0', port: ports.webhook },
    trustDomain: values.trustDomain,
    image: values.image,
    nativeSidecar: values.proxy.nativeSidecar,
    drainSeconds: values.proxy.drainSeconds,
    otlpUrl: values.proxy.otlpUrl,
    redirector: values.redirector.enabled,
    resources: values.proxy.resources,
  };
  return [
    { object: configMap(namespace, `${name}-config`, { 'injector.yaml': stringify(config) }) },
    { object: service(namespace, name, { app: name }, { webhook: 443 }, ports.webhook) },
    {
      object: deployment(values, name, name, values.injector, command, { webhook: ports.webhook }),
    },
    { when: 'podDisruptionBudget.enabled', object: disruptionBudget(namespace, name) },
    {
      when: 'networkPolicy.enabled',
      // The API server's address is not a pod's, so a policy cannot name it here.
      object: networkPolicy(namespace, name, [
        { ports: [{ port: ports.webhook, protocol: 'TCP' }] },
      ]),
    },
  ];
}

function service(
  namespace: string,
  name: string,
  selector: Record<string, string>,
  listening: Record<string, number>,
  targetPort?: number,
): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      selector,
      ports: Object.entries(listening).map(([portName, port]) => ({
        name: portName,
        port,
        protocol: 'TCP',
        targetPort: targetPort ?? port,
      })),
    },
  };
}

const disruptionBudget = (namespace: string, name: string): AnyObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace },
  spec: { maxUnavailable: 1, selector: { matchLabels: { app: name } } },
});

const networkPolicy = (namespace: string, name: string, ingress: unknown[]): AnyObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec: { podSelector: { matchLabels: { app: name } }, policyTypes: ['Ingress'], ingress },
});

/** Several replicas are placed on different nodes. */
const apart = (name: string): object => ({
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: { app: name } },
        },
      },
    ],
  },
});

function environmentOf(variables: Readonly<Record<string, string>>): object {
  const env = Object.entries(variables).map(([name, value]) => ({ name, value }));
  return env.length > 0 ? { env } : {};
}

/** The configuration, and for a controller the authority of Vault's own certificate, if no public one issued it. */
function volumesOf(
  name: string,
  isController: boolean,
): { volumes: object[]; volumeMounts: object[] } {
  const vault = { name: names.vaultAuthority, optional: true };
  return {
    volumes: [
      { name: 'config', configMap: { name: `${name}-config` } },
      ...(isController ? [{ name: 'vault', configMap: vault }] : []),
    ],
    volumeMounts: [
      { name: 'config', mountPath: '/etc/firedrill', readOnly: true },
      ...(isController ? [{ name: 'vault', mountPath: vaultFolder, readOnly: true }] : []),
    ],
  };
}

function deployment(
  values: Values,
  name: string,
  account: string,
  part: Values['controller'],
  command: string[],
  listening: Record<string, number>,
  environment: Readonly<Record<string, string>> = {},
): AnyObject {
  const { volumes, volumeMounts } = volumesOf(name, account === names.controller);
  const probed = 'admin' in listening ? 'admin' : 'webhook';
  const probe = (path: string): unknown => ({
    httpGet: { path, port: probed, scheme: probed === 'admin' ? 'HTTP' : 'HTTPS' },
  });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: values.namespace, labels: { [labels.component]: account } },
    spec: {
      replicas: part.replicas,
      selector: { matchLabels: { app: name } },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { app: name, [labels.component]: account } },
        spec: {
          serviceAccountName: account,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 2103,
            runAsGroup: 2103,
            fsGroup: 2103,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          affinity: apart(name),
          containers: [
            {
              name: 'main',
              image: values.image,
              imagePullPolicy: values.imagePullPolicy,
              command,
              ...environmentOf(environment),
              ports: Object.entries(listening).map(([portName, port]) => ({
                name: portName,
                containerPort: port,
                protocol: 'TCP',
              })),
              livenessProbe: {
                ...(probe('/live') as object),
                initialDelaySeconds: 10,
                timeoutSeconds: 5,
              },
              readinessProbe: { ...(probe('/ready') as object), failureThreshold: 3 },
              resources: part.resources,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts,
            },
          ],
          volumes,
        },
      },
    },
  };
}
