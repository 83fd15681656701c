/** Kubernetes objects as plain JSON, and the place of each kind in the API. */

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  generateName?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid?: string;
    controller?: boolean;
  }[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** Any other object; code that knows the kind reads its fields. */
export interface AnyObject extends KubeObject {
  [field: string]: unknown;
}

export interface Resource {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

/** Our own API group. */
export const meshGroup = 'mesh.firedrill.dev';
const meshVersion = 'v1alpha1';

const row = (apiVersion: string, kind: string, plural: string, namespaced = true): Resource => {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group: group as string, version: version as string, plural, kind, namespaced };
};

const ours = (kind: string, plural: string): Resource =>
  row(`${meshGroup}/${meshVersion}`, kind, plural);

/** Every kind that Firedrill reads or writes, by its name. */
export const resources = {
  Namespace: row('v1', 'Namespace', 'namespaces', false),
  Node: row('v1', 'Node', 'nodes', false),
  Pod: row('v1', 'Pod', 'pods'),
  Service: row('v1', 'Service', 'services'),
  ServiceAccount: row('v1', 'ServiceAccount', 'serviceaccounts'),
  ConfigMap: row('v1', 'ConfigMap', 'configmaps'),
  Secret: row('v1', 'Secret', 'secrets'),
  PersistentVolumeClaim: row('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  EndpointSlice: row('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  Event: row('events.k8s.io/v1', 'Event', 'events'),
  Lease: row('coordination.k8s.io/v1', 'Lease', 'leases'),
  Deployment: row('apps/v1', 'Deployment', 'deployments'),
  DaemonSet: row('apps/v1', 'DaemonSet', 'daemonsets'),
  StatefulSet: row('apps/v1', 'StatefulSet', 'statefulsets'),
  ReplicaSet: row('apps/v1', 'ReplicaSet', 'replicasets'),
  Job: row('batch/v1', 'Job', 'jobs'),
  CronJob: row('batch/v1', 'CronJob', 'cronjobs'),
  NetworkPolicy: row('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  PodDisruptionBudget: row('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  Role: row('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  RoleBinding: row('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  ClusterRole: row('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', false),
  ClusterRoleBinding: row(
    'rbac.authorization.k8s.io/v1',
    'ClusterRoleBinding',
    'clusterrolebindings',
    false,
  ),
  CustomResourceDefinition: row(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    false,
  ),
  MutatingWebhookConfiguration: row(
    'admissionregistration.k8s.io/v1',
    'MutatingWebhookConfiguration',
    'mutatingwebhookconfigurations',
    false,
  ),
  ValidatingWebhookConfiguration: row(
    'admissionregistration.k8s.io/v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    false,
  ),
  TokenReview: row('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews', false),
  SelfSubjectAccessReview: row(
    'authorization.k8s.io/v1',
    'SelfSubjectAccessReview',
    'selfsubjectaccessreviews',
    false,
  ),
  HTTPRoute: row('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  GRPCRoute: row('gateway.networking.k8s.io/v1', 'GRPCRoute', 'grpcroutes'),
  ReferenceGrant: row('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', 'referencegrants'),
  TrafficSplit: row('split.smi-spec.io/v1alpha4', 'TrafficSplit', 'trafficsplits'),
  HorizontalPodAutoscaler: row(
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    'horizontalpodautoscalers',
  ),
  PodMonitor: row('monitoring.coreos.com/v1', 'PodMonitor', 'podmonitors'),
  PrometheusRule: row('monitoring.coreos.com/v1', 'PrometheusRule', 'prometheusrules'),
  Prometheus: row('monitoring.coreos.com/v1', 'Prometheus', 'prometheuses'),
  ServiceProfile: ours('ServiceProfile', 'serviceprofiles'),
  Server: ours('Server', 'servers'),
  AuthorizationPolicy: ours('AuthorizationPolicy', 'authorizationpolicies'),
  RateLimit: ours('RateLimit', 'ratelimits'),
  ExternalWorkload: ours('ExternalWorkload', 'externalworkloads'),
  MultiClusterLink: ours('MultiClusterLink', 'multiclusterlinks'),
} as const satisfies Record<string, Resource>;

export type Kind = keyof typeof resources;

/**
 * The versions, newest first, in which other projects' definitions serve a kind if ours is not served: the TrafficSplit
 * of Flagger and of linkerd-smi is v1alpha2 and v1alpha1.
 */
export const olderVersions: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  TrafficSplit: ['v1alpha4', 'v1alpha3', 'v1alpha2', 'v1alpha1'],
};

export function resourceOf(kind: string): Resource {
  const found = (resources as Record<string, Resource>)[kind];
  if (!found) throw new Error(`kind ${kind} is not in the table of resources`);
  return found;
}

export const apiVersionOf = (r: Resource): string =>
  r.group === '' ? r.version : `${r.group}/${r.version}`;

/** Returns `/api/v1/namespaces/retail/pods/cart-1`; without a namespace, the path of all namespaces. */
export function pathOf(resource: Resource, namespace?: string, name?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const scope =
    resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const end = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}/${resource.version}${scope}/${resource.plural}${end}`;
}

/**
 * `namespace/name`, the key of every cache. Joined: a template is kept as its parts, at twice the memory for each of
 * ten thousand pods.
 */
export const keyOf = (object: { metadata: ObjectMeta }): string =>
  [object.metadata.namespace ?? '', object.metadata.name].join('/');
