/** Whose rights a drill of a cluster uses: those of the kubeconfig that its file names, else as kubectl finds one. */
import { resolve } from 'node:path';
import type { CredentialOptions } from '../../../mesh/kubernetes/client/credentials.js';
import type { KubernetesSpec } from './kubernetes-schema.js';

export const accessOf = (
  folder: string,
  { kubeconfig, context }: Pick<KubernetesSpec, 'kubeconfig' | 'context'>,
): CredentialOptions => ({
  ...(kubeconfig !== undefined && { kubeconfig: resolve(folder, kubeconfig) }),
  ...(context !== undefined && { context }),
});
