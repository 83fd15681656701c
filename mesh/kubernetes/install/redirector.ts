/** The objects of the nodes' redirector, a DaemonSet in a namespace of its own. */
import { labels } from '../annotations.js';
import { type AnyObject, resources } from '../client/objects.js';
import type { Manifest } from './manifests.js';
import { names, nodeNamespaceOf } from './names.js';
import type { Values } from './values.js';

const rbac = 'rbac.authorization.k8s.io';

export function redirectorObjects(values: Values): Manifest[] {
  const namespace = nodeNamespaceOf(values.namespace);
  const name = names.redirector;
  const local = { name, namespace };
  const { group, plural } = resources.Pod;
  const objects: AnyObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { [labels.podSecurity]: 'privileged' },
      },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: local },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name },
      rules: [{ apiGroups: [group], resources: [plural], verbs: ['list', 'watch'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    daemonSet(values, local),
  ];
  return objects.map((object) => ({ object, when: 'redirector.enabled' }));
}

function daemonSet(values: Values, local: { name: string; namespace: string }): AnyObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: local,
    spec: {
      selector: { matchLabels: { app: local.name } },
      template: {
        metadata: { labels: { app: local.name } },
        spec: {
          serviceAccountName: local.name,
          // Pods of every node wait for it.
          priorityClassName: 'system-node-critical',
          tolerations: [{ operator: 'Exists' }],
          // It finds the processes of the node's pods, and recognizes the node's network, which it leaves alone.
          hostPID: true,
          hostNetwork: true,
          containers: [
            {
              name: 'main',
              image: values.image,
              imagePullPolicy: values.imagePullPolicy,
              command: ['node', '/app/dist/cli.js', 'redirector', '--node', '$(NODE_NAME)'],
              env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
              resources: values.redirector.resources,
              securityContext: {
                runAsUser: 0,
                readOnlyRootFilesystem: true,
                // To find a pod's network namespace, to enter it, and to write its rules.
                capabilities: {
                  drop: ['ALL'],
                  add: ['SYS_PTRACE', 'SYS_ADMIN', 'NET_ADMIN', 'NET_RAW'],
                },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
        },
      },
    },
  };
}
