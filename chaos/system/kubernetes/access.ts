/**
 * The rights of a drill of a cluster: those of the kubeconfig in its file, otherwise of the one that kubectl would use.
 */
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
