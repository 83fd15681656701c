/**
 * Faults of a cluster's objects: each has its injection and, computed before it, the steps of its rollback. A fault
 * that outlasts the runner has a lease in the cluster (cluster-lease.ts), which the keeper ends.
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { UserError } from '../../../base/errors.js';
import { keySigner } from '../../../mesh/identity/issuing.js';
import { createCertificate, dnsNames } from '../../../mesh/identity/x509.js';
import type { KubeApi } from '../../../mesh/kubernetes/client/api.js';
import { type KubeObject, resources } from '../../../mesh/kubernetes/client/objects.js';
import type { Container } from '../../../mesh/kubernetes/discovery/types.js';
import { names } from '../../../mesh/kubernetes/install/names.js';
import { leaseLabel, scalePath, setReplicas, type UndoStep } from './cluster-lease.js';
import type { KubernetesSpec } from './kubernetes-schema.js';
import type { Place, Pods } from './pods.js';

export interface ClusterFault {
  steps: UndoStep[];
  /** `IP:PORT` that nobody may reach while the fault is active. */
  probe?: string;
  put(): Promise<void>;
  /** The effect so far. */
  effect(): Promise<number>;
}

export interface FaultContext {
  api: KubeApi;
  drill: string;
  spec: KubernetesSpec;
  pods: Pods;
}

export type ClusterKind = 'scale' | 'partition' | 'expired-secret';
export const clusterKinds: readonly ClusterKind[] = ['scale', 'partition', 'expired-secret'];

type ScaledKind = 'Deployment' | 'StatefulSet';
const scaledKinds: Readonly<Record<string, ScaledKind>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
};

/** Objects that may be scaled: workloads of the drill, and the control plane's two. */
export const scalable = (places: readonly Place[], hasMesh: boolean): string[] => [
  ...new Set(places.filter((p) => scaledKinds[p.kind]).map((p) => p.workload)),
  ...(hasMesh ? [names.controller, names.injector] : []),
];

/** Throws a UserError if the target does not exist. */
export function clusterFault(
  kind: ClusterKind,
  target: string,
  settings: Record<string, unknown>,
  context: FaultContext,
): Promise<ClusterFault> {
  if (kind === 'scale') return scaleFault(target, Number(settings.replicas ?? 0), context);
  if (kind === 'partition') return Promise.resolve(partitionFault(target, context));
  return secretFault(target, context);
}

/** The namespace and name of a target that is scaled. */
function scaledObject(
  target: string,
  { spec, pods }: Pick<FaultContext, 'spec' | 'pods'>,
): { kind: ScaledKind; namespace: string; name: string } {
  const place = pods.of(target).find((p) => p.workload === target);
  const kind = place && scaledKinds[place.kind];
  if (kind) return { kind, namespace: spec.namespace, name: target };
  if (target === names.controller || target === names.injector) {
    return { kind: 'Deployment', namespace: spec.controlPlane, name: target };
  }
  throw new UserError({
    message: `'${target}' cannot be scaled`,
    expected: scalable(pods.places, true).join(', '),
  });
}

interface Scale {
  spec?: { replicas?: number };
  status?: { replicas?: number };
}

async function scaleFault(
  target: string,
  replicas: number,
  context: FaultContext,
): Promise<ClusterFault> {
  const { api } = context;
  const object = scaledObject(target, context);
  const path = scalePath(object.kind, object.namespace, object.name);
  const ask = async (): Promise<Scale> => (await api.call('GET', path)) as Scale;
  const before = (await ask()).spec?.replicas ?? 0;
  if (before === replicas) {
    throw new UserError(`${target} has ${before} replicas already: nothing would change`);
  }
  return {
    steps: [{ do: 'scale', ...object, replicas: before }],
    put: async () => void (await setReplicas(api, object, replicas)),
    effect: async () => Math.abs(before - ((await ask()).status?.replicas ?? 0)),
  };
}

export const policyName = (target: string): string => `firedrill-partition-${target}`;

/** Blocks all inbound traffic: a policy that selects the pods and allows no one. */
function partitionFault(target: string, { api, drill, spec, pods }: FaultContext): ClusterFault {
  const { namespace } = spec;
  const struck = pods.of(target);
  const pod = struck.find((p) => p.pod?.status?.podIP)?.pod;
  const port = pod && portOf(pod.spec.containers);
  if (!pod || port === undefined) {
    const message = `${target} has no running pod with a port that it declares, so no effect could be seen`;
    throw new UserError({ message, expected: 'ports in its containers' });
  }
  const labels = commonLabels(struck);
  const name = policyName(target);
  return {
    steps: [{ do: 'delete-policy', namespace, name }],
    probe: `${pod.status?.podIP}:${port}`,
    put: async () => {
      await api.create({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name, namespace, labels: { [leaseLabel]: drill } },
        spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'], ingress: [] },
      });
    },
    effect: () => Promise.resolve(struck.length),
  };
}

const portOf = (containers: readonly Container[]): number | undefined =>
  containers.flatMap((c) => c.ports ?? []).find((p) => (p.protocol ?? 'TCP') === 'TCP')
    ?.containerPort;

/** Labels that change with each release, or differ between pods, would select too few pods. */
const passing = /^(pod-template-hash|controller-revision-hash|statefulset\.kubernetes\.io\/)/;

function commonLabels(places: readonly Place[]): Record<string, string> {
  const all = places.flatMap((p) => (p.pod ? [p.pod.metadata.labels ?? {}] : []));
  const [first = {}] = all;
  const common = Object.entries(first).filter(
    ([key, value]) => !passing.test(key) && all.every((labels) => labels[key] === value),
  );
  if (common.length === 0) throw new UserError('its pods share no label by which a policy selects');
  return Object.fromEntries(common);
}

interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

export const copyName = (secret: string): string => `firedrill-saved-${secret}`;
const dayMs = 86_400_000;

/**
 * Replaces the certificate by one for the same names that expired yesterday; a copy of the Secret is kept beside it.
 */
async function secretFault(
  target: string,
  { api, drill, spec }: FaultContext,
): Promise<ClusterFault> {
  const { namespace, secrets } = spec;
  if (!secrets.includes(target)) {
    throw new UserError({
      message: `no Secret '${target}' in system.secrets`,
      expected: secrets.join(', ') || 'system.secrets',
    });
  }
  const secret = await api.get<Secret>(resources.Secret, namespace, target);
  const pem = Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64').toString();
  const data = await expiredLike(target, pem);
  const copy = copyName(target);
  return {
    steps: [{ do: 'restore-secret', namespace, name: target, copy }],
    put: async () => {
      await api.create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: copy, namespace, labels: { [leaseLabel]: drill } },
        data: secret.data ?? {},
      });
      await api.patch(resources.Secret, namespace, target, { data });
    },
    effect: async () => {
      const now = await api.get<Secret>(resources.Secret, namespace, target);
      return now.data?.['tls.crt'] === data['tls.crt'] ? 1 : 0;
    },
  };
}

async function expiredLike(name: string, pem: string): Promise<Record<string, string>> {
  let like: X509Certificate;
  try {
    like = new X509Certificate(pem);
  } catch {
    throw new UserError(`Secret ${name}: tls.crt holds no certificate`);
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = /CN=([^\n]+)/.exec(like.subject)?.[1] ?? name;
  const expired = await createCertificate(
    {
      publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
      commonName: subject,
      notBeforeMs: Date.now() - 30 * dayMs,
      notAfterMs: Date.now() - dayMs,
      dnsNames: dnsNames(like),
    },
    keySigner(privateKey, publicKey),
  );
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    'tls.crt': base64(expired.toString()),
    'tls.key': base64(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
  };
}
