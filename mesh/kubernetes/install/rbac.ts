/**
 * The control plane's minimal permissions: a test acts as each account, and proves that every rule is necessary and
 * sufficient.
 */
import { type AnyObject, type Kind, resources } from '../client/objects.js';
import { customKinds } from '../crds/definitions.js';
import { storeKinds } from '../discovery/store.js';
import { names } from './names.js';

export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

const rule = (kinds: readonly Kind[], verbs: string[], only?: string[], below = ''): Rule[] => {
  const byGroup = new Map<string, string[]>();
  for (const kind of kinds) {
    const { group, plural } = resources[kind];
    byGroup.set(group, [...(byGroup.get(group) ?? []), plural + below]);
  }
  return [...byGroup].map(([group, plurals]) => ({
    apiGroups: [group],
    resources: plurals,
    verbs,
    ...(only ? { resourceNames: only } : {}),
  }));
};

/** Rules for the whole cluster. */
export const controllerClusterRules = (): Rule[] => [
  ...rule(storeKinds, ['list', 'watch']),
  ...rule([...customKinds, 'HTTPRoute', 'GRPCRoute'], ['patch'], undefined, '/status'),
  ...rule(['TokenReview'], ['create']),
];

/** Rules for the control plane's own namespace; each list and watch is limited to one name. */
export const controllerOwnRules = (issuerSecret: string = names.issuerSecret): Rule[] => [
  ...rule(['Secret'], ['list', 'watch'], [names.issuerSecret, issuerSecret]),
  ...rule(['Secret'], ['patch'], [names.issuerSecret]),
  // Also the credentials of linked clusters, whose names are not known in advance.
  ...rule(['Secret'], ['get']),
  ...rule(['ConfigMap'], ['patch'], [names.bundle]),
];

export const injectorClusterRules = (): Rule[] => [
  ...rule(['Namespace'], ['get', 'list', 'watch']),
  ...rule(['Event'], ['create']),
  ...rule(['MutatingWebhookConfiguration'], ['get', 'patch'], [names.mutatingWebhook]),
  ...rule(['ValidatingWebhookConfiguration'], ['get', 'patch'], [names.validatingWebhook]),
];

export const injectorOwnRules = (): Rule[] => [
  ...rule(['Secret'], ['get', 'patch'], [names.webhookSecret]),
  ...rule(['ConfigMap'], ['list', 'watch'], [names.bundle]),
];

export function rbacObjects(namespace: string, issuerSecret: string): AnyObject[] {
  return [
    ...account(
      namespace,
      names.controller,
      controllerClusterRules(),
      controllerOwnRules(issuerSecret),
    ),
    ...account(namespace, names.injector, injectorClusterRules(), injectorOwnRules()),
  ];
}

function account(namespace: string, name: string, cluster: Rule[], own: Rule[]): AnyObject[] {
  const rbac = 'rbac.authorization.k8s.io';
  const apiVersion = `${rbac}/v1`;
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const local = { name, namespace };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: local },
    { apiVersion, kind: 'ClusterRole', metadata: { name }, rules: cluster },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects,
    },
    { apiVersion, kind: 'Role', metadata: local, rules: own },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: local,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects,
    },
  ];
}
