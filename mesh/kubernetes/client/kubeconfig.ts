/**
 * All that is used of @kubernetes/client-node: kubeconfig files with every way to authenticate, ports of pods, and
 * commands in their containers. The build makes one file of this module (bundle.ts), so that the package carries these
 * and not the whole typed client (54 MB installed). It is imported at need, and only by people's commands.
 */
export { Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
