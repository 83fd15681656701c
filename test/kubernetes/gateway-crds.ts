/** Stand-ins for the Gateway API's CRDs, which a cluster's owner installs: the right names, any fields. */
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';

export const gatewayCrds = (): AnyObject[] =>
  [resources.HTTPRoute, resources.GRPCRoute, resources.ReferenceGrant].map(
    ({ group, version, plural, kind }) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: `${plural}.${group}`,
        annotations: {
          'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/3328',
        },
      },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: {
              openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        ],
      },
    }),
  );
