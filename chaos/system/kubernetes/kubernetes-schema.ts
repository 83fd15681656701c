/** `system: kubernetes` in a firedrill.yaml: a namespace of a cluster, and its selected pods. */
import * as z from 'zod';
import { identifier, labels, loadAddress, text } from '../../scenarios/fields.js';

const label = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
  error: 'expected a name of lower case letters, digits and dashes',
});

export const kubernetesSchema = z.strictObject({
  kind: z.literal('kubernetes'),
  namespace: label,
  selector: text
    .optional()
    .describe('labels of the pods, such as app.kubernetes.io/part-of=shop; default: all'),
  kubeconfig: text.optional().describe("from the file on; default: as kubectl's"),
  context: text.optional().describe('of the kubeconfig'),
  controlPlane: label.default('firedrill').describe("the namespace of the mesh's control plane"),
  url: loadAddress
    .optional()
    .describe('where the load is sent, past no policy of the cluster; absent with load: existing'),
  calls: z
    .array(
      z
        .string()
        .regex(/^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/, { error: 'expected such as web/cart' }),
    )
    .default([])
    .describe('WORKLOAD/SERVICE: calls through sidecars, which can be slowed and cut'),
  metrics: z
    .record(
      identifier,
      z.strictObject({
        port: z.int().min(1).max(65_535),
        path: text.default('/metrics'),
        job: text.optional().describe("default: the workload's name"),
        labels,
      }),
    )
    .default({})
    .describe('of each pod of a workload, scraped with the labels service and workload'),
  secrets: z
    .array(label)
    .default([])
    .describe('of the type kubernetes.io/tls, whose certificates may be replaced by expired ones'),
  keeper: z
    .strictObject({
      image: text.optional().describe("default: the controller's"),
      serviceAccount: label.default('firedrill-keeper'),
    })
    .default({ serviceAccount: 'firedrill-keeper' })
    .describe(
      'the pod that rolls faults back when nobody renews them; gameday rbac makes its account',
    ),
});

export type KubernetesSpec = z.output<typeof kubernetesSchema>;
