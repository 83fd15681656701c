/**
 * All that is used of @kubernetes/client-node: kubeconfig files with every way to authenticate, and ports of pods. The
 * build makes one file of this module (bundle.ts), so that the package carries these two and not the whole typed client
 * (54 MB installed). It is imported at need, and only by people's commands.
 */
export { KubeConfig, PortForward } from '@kubernetes/client-node';
