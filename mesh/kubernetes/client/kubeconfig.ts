/**
 * The used parts of @kubernetes/client-node: kubeconfig files with every way to authenticate, ports of pods, and
 * commands in their containers. The build makes one file of this module (bundle.ts), so that the package carries these
 * parts and not the whole typed client (54 MB installed). Only commands at a terminal import it, on demand.
 */
export { Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
