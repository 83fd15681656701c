/** The commands `inject` and `uninject`, and `injector`, which runs in the cluster. */
import type { Command } from 'commander';
import { inputName, readInput } from '../../../base/input.js';

interface InjectFlags {
  namespace: string;
  image?: string;
  trustDomain: string;
  trustAnchors?: string;
  nativeSidecar: boolean;
  redirector?: boolean;
}

export function registerInject(program: Command): void {
  program
    .command('inject')
    .description('Add the proxy to the pods of YAML manifests, as the webhook would')
    .argument('<file>', 'manifests, or - for standard input')
    .option('-n, --namespace <name>', "the control plane's namespace", 'firedrill')
    .option('--image <image>', "the proxy's image")
    .option('--trust-domain <name>', 'end of every identity', 'cluster.local')
    .option(
      '--trust-anchors <file>',
      "the mesh's trust bundle, PEM; absent: ConfigMap firedrill-trust-anchors of the pod's namespace",
    )
    .option('--no-native-sidecar', 'an ordinary container, for Kubernetes before 1.29')
    .option('--redirector', 'no init container: the nodes have the redirector (redirector.enabled)')
    .addHelpText(
      'after',
      `
Examples:
  kubectl get deploy cart -o yaml | firedrill inject - | kubectl apply -f -
  firedrill inject manifests.yaml > injected.yaml

What was injected or skipped, and why, is said on standard error. Injecting twice changes nothing.`,
    )
    .action(async (file: string, flags: InjectFlags) => {
      const { injectYaml } = await import('./offline.js');
      const { defaultValues } = await import('../install/values.js');
      const values = {
        ...defaultValues(),
        namespace: flags.namespace,
        trustDomain: flags.trustDomain,
      };
      if (flags.image) values.image = flags.image;
      values.proxy = { ...values.proxy, nativeSidecar: flags.nativeSidecar };
      const { injectOptionsOf } = await import('./config.js');
      const options = {
        ...injectOptionsOf({ ...values, redirector: { enabled: flags.redirector ?? false } }),
        ...(flags.trustAnchors ? { trustAnchors: readInput(flags.trustAnchors) } : {}),
      };
      print(injectYaml(inputName(file), readInput(file), options));
    });
  program
    .command('uninject')
    .description('Remove the proxy from the pods of YAML manifests')
    .argument('<file>', 'manifests, or - for standard input')
    .addHelpText(
      'after',
      '\nExample:\n  kubectl get deploy cart -o yaml | firedrill uninject - | kubectl apply -f -',
    )
    .action(async (file: string) => {
      const { uninjectYaml } = await import('./offline.js');
      print(uninjectYaml(inputName(file), readInput(file)));
    });
  program
    .command('injector')
    .description(
      'Serve the injector and validator webhooks (run by firedrill install in the cluster)',
    )
    .requiredOption('--config <file>', 'as in ConfigMap firedrill-injector-config')
    .option('--kubeconfig <file>', "default: the pod's own account")
    .addHelpText('after', '\nExample:\n  firedrill injector --config /etc/firedrill/injector.yaml')
    .action(async (flags: { config: string; kubeconfig?: string }) => {
      const { runInjector } = await import('./config.js');
      await runInjector(flags.config, flags.kubeconfig);
    });
}

export function registerRedirector(program: Command): void {
  program
    .command('redirector')
    .description("Redirect the traffic of a node's pods (run by a DaemonSet of firedrill install)")
    .requiredOption('--node <name>', "the node's name in the cluster")
    .option('--kubeconfig <file>', "default: the pod's own account")
    .addHelpText('after', '\nExample:\n  firedrill redirector --node "$NODE_NAME"')
    .action(async ({ node, kubeconfig }: { node: string; kubeconfig?: string }) => {
      const { runRedirector } = await import('./redirector.js');
      await runRedirector(node, kubeconfig);
    });
}

function print(result: { yaml: string; report: string[] }): void {
  process.stdout.write(result.yaml);
  for (const line of result.report) process.stderr.write(`${line}\n`);
}
