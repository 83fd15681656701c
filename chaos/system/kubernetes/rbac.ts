/** The minimal rights to run a drill on a cluster, and those for its keeper to roll back the faults. */
import type { AnyObject } from '../../../mesh/kubernetes/client/objects.js';
import { names } from '../../../mesh/kubernetes/install/names.js';
import { faultKind } from '../../faults/kinds.js';
import type { ScenarioFault } from '../../scenarios/schema.js';
import { clusterKinds, copyName, policyName } from './cluster-faults.js';
import type { KubernetesSpec } from './kubernetes-schema.js';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

export type Runner =
  { kind: 'User'; name: string } | { kind: 'ServiceAccount'; namespace: string; name: string };

const group = 'rbac.authorization.k8s.io';
/** The runner's own account, if none is given. */
const runnerAccount = 'firedrill-runner';

interface Needs {
  /** Rules in the drill's namespace, and in the control plane's. */
  own: Rule[];
  control: Rule[];
}

type Faults = readonly Pick<ScenarioFault, 'kind' | 'target'>[];

const rule = (
  apiGroup: string,
  resources: string[],
  verbs: string[],
  resourceNames?: string[],
): Rule => ({
  apiGroups: [apiGroup],
  resources,
  ...(resourceNames && { resourceNames }),
  verbs,
});

const reach = [
  rule('', ['pods'], ['list']),
  // A WebSocket is opened by GET, its predecessor by POST.
  rule('', ['pods/portforward'], ['get', 'create']),
];

function targetsBy(faults: Faults, kind: string): string[] {
  return [...new Set(faults.filter((f) => f.kind === kind).map((f) => f.target))].sort();
}

/** Whether the fault targets the control plane: the runner then also needs to read the controller's pod. */
const isOfControlPlane = ({ kind, target }: Faults[number]): boolean =>
  faultKind(kind).targets === 'controller' || ofControlPlane.has(target);

const ofControlPlane = new Set<string>([names.controller, names.injector]);

function scales(faults: Faults, verbs: string[]): Needs {
  const targets = targetsBy(faults, 'scale');
  const some = (list: string[]): Rule[] =>
    list.length === 0
      ? []
      : [rule('apps', ['deployments/scale', 'statefulsets/scale'], verbs, list)];
  return {
    own: some(targets.filter((t) => !ofControlPlane.has(t))),
    control: some(targets.filter((t) => ofControlPlane.has(t))),
  };
}

export function runnerNeeds(spec: KubernetesSpec, faults: Faults): Needs {
  const has = (kind: string): boolean => faults.some((f) => f.kind === kind);
  const needsKeeper = faults.some((f) => clusterKinds.some((k) => k === f.kind));
  const policies = targetsBy(faults, 'partition').map(policyName);
  const secrets = targetsBy(faults, 'expired-secret');
  const scaled = scales(faults, ['get', 'patch']);
  return {
    own: [
      ...reach,
      ...(has('kill') ? [rule('', ['pods'], ['delete'])] : []),
      ...(has('memory-limit') || has('cpu-limit')
        ? [rule('', ['pods/exec'], ['get', 'create'])]
        : []),
      ...(needsKeeper
        ? [
            rule('', ['configmaps'], ['get', 'create', 'patch', 'delete']),
            rule('batch', ['jobs'], ['create', 'delete']),
          ]
        : []),
      ...scaled.own,
      ...(policies.length > 0
        ? [
            rule('networking.k8s.io', ['networkpolicies'], ['create']),
            rule('networking.k8s.io', ['networkpolicies'], ['delete'], policies),
          ]
        : []),
      ...(secrets.length > 0
        ? [
            rule('', ['secrets'], ['create']),
            rule('', ['secrets'], ['get', 'patch'], secrets),
            rule('', ['secrets'], ['get', 'delete'], secrets.map(copyName)),
          ]
        : []),
    ],
    control: [
      ...(faults.some(isOfControlPlane) ? reach : []),
      ...(needsKeeper && spec.keeper.image === undefined
        ? [rule('apps', ['deployments'], ['get'], [names.controller])]
        : []),
      ...scaled.control,
    ],
  };
}

/** Empty if none of the drill's faults outlasts the runner. */
export function keeperNeeds(faults: Faults): Needs {
  if (!faults.some((f) => clusterKinds.some((k) => k === f.kind))) return { own: [], control: [] };
  const policies = targetsBy(faults, 'partition').map(policyName);
  const secrets = targetsBy(faults, 'expired-secret');
  const scaled = scales(faults, ['patch']);
  return {
    own: [
      rule('', ['configmaps'], ['list', 'patch', 'delete']),
      ...scaled.own,
      ...(policies.length > 0
        ? [rule('networking.k8s.io', ['networkpolicies'], ['delete'], policies)]
        : []),
      ...(secrets.length > 0
        ? [
            rule('', ['secrets'], ['patch'], secrets),
            rule('', ['secrets'], ['get', 'delete'], secrets.map(copyName)),
          ]
        : []),
    ],
    control: scaled.control,
  };
}

/** Accounts, Roles and their bindings; nothing cluster-wide. */
export function rbacObjectsOf(
  spec: KubernetesSpec,
  faults: Faults,
  runner: Runner | undefined,
): AnyObject[] {
  const { namespace, controlPlane, keeper } = spec;
  const own = { kind: 'ServiceAccount' as const, namespace, name: runnerAccount };
  const keeperSubject = { kind: 'ServiceAccount' as const, namespace, name: keeper.serviceAccount };
  const needs = keeperNeeds(faults);
  const account = (name: string): AnyObject => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
  });
  return [
    ...(runner ? [] : [account(runnerAccount)]),
    ...(needs.own.length > 0 ? [account(keeper.serviceAccount)] : []),
    ...granted(runnerAccount, runner ?? own, runnerNeeds(spec, faults), {
      namespace,
      controlPlane,
    }),
    ...granted(keeper.serviceAccount, keeperSubject, needs, { namespace, controlPlane }),
  ];
}

function granted(
  name: string,
  subject: Runner,
  needs: Needs,
  { namespace, controlPlane }: { namespace: string; controlPlane: string },
): AnyObject[] {
  const role = (where: string, rules: Rule[]): AnyObject[] => {
    if (rules.length === 0) return [];
    // Each drill's namespace has its own objects: the control plane's namespace may contain those of several drills.
    const metadata = {
      name: where === namespace ? name : `${name}-of-${namespace}`,
      namespace: where,
    };
    return [
      { apiVersion: `${group}/v1`, kind: 'Role', metadata, rules },
      {
        apiVersion: `${group}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: group, kind: 'Role', name: metadata.name },
        subjects: [subject.kind === 'User' ? { ...subject, apiGroup: group } : subject],
      },
    ];
  };
  return [...role(namespace, needs.own), ...role(controlPlane, needs.control)];
}
