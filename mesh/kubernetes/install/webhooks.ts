/** The two webhook configurations; the injector writes their caBundle. */
import { type AnyObject, meshGroup, type Resource, resources } from '../client/objects.js';
import { validatedKinds } from '../inject/validate.js';
import { names } from './names.js';
import type { Values } from './values.js';

const versionsOf = (kinds: readonly Resource[]): string[] => [
  ...new Set(kinds.map((k) => k.version)),
];

export function webhookObjects(values: Values): AnyObject[] {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const client = (path: string): unknown => ({
    service: { name: names.injector, namespace: values.namespace, path, port: 443 },
  });
  const shared = { admissionReviewVersions: ['v1'], timeoutSeconds: 10 };
  // Never these namespaces: a cluster must be able to start without us.
  const elsewhere = {
    matchExpressions: [
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: ['kube-system', 'kube-public', 'kube-node-lease', values.namespace],
      },
    ],
  };
  const groups = new Map<string, Resource[]>();
  for (const kind of validatedKinds) {
    const resource = (resources as Record<string, Resource>)[kind] as Resource;
    groups.set(resource.group, [...(groups.get(resource.group) ?? []), resource]);
  }
  const foreign = [...groups.keys()].filter((group) => group !== meshGroup);
  const validator = (name: string, of: string[], failurePolicy: string): unknown => ({
    name,
    clientConfig: client('/validate'),
    rules: of.map((group) => ({
      apiGroups: [group],
      // For a group that others define too, only the version that we support.
      apiVersions: group === meshGroup ? ['*'] : versionsOf(groups.get(group) ?? []),
      resources: (groups.get(group) ?? []).map((k) => k.plural),
      operations: ['CREATE', 'UPDATE'],
      scope: 'Namespaced',
    })),
    failurePolicy,
    sideEffects: 'None',
    ...shared,
  });
  return [
    {
      apiVersion,
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: names.mutatingWebhook },
      webhooks: [
        {
          name: 'injector.firedrill.dev',
          clientConfig: client('/inject'),
          rules: [
            {
              apiGroups: [''],
              apiVersions: ['v1'],
              resources: ['pods'],
              operations: ['CREATE'],
              scope: 'Namespaced',
            },
          ],
          namespaceSelector: elsewhere,
          failurePolicy: values.injector.failurePolicy,
          // The webhook writes an Event, but never for a dry run.
          sideEffects: 'NoneOnDryRun',
          // Another webhook may add a container after ours; a second call to ours changes nothing.
          reinvocationPolicy: 'IfNeeded',
          ...shared,
        },
      ],
    },
    {
      apiVersion,
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: names.validatingWebhook },
      webhooks: [
        validator('validator.firedrill.dev', [meshGroup], values.injector.failurePolicy),
        // Includes other controllers' objects, which our failure must never block.
        validator('routes.validator.firedrill.dev', foreign, 'Ignore'),
      ],
    },
  ];
}
