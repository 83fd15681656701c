/** The commands `inject` and `uninject`, and `injector`, which runs in the cluster. */
import type { Command } from 'commander';
import { statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../base/errors.js';
import { inputName, readInput } from '../../../base/input.js';
import { readTrustDomain } from '../../identity/names.js';

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
    .argument('<path>', 'manifests, a folder of them, or - for standard input')
    .option('-n, --namespace <name>', "the control plane's namespace", 'firedrill')
    .option('--image <image>', "the proxy's image")
    .option('--trust-domain <name>', 'end of every identity', readTrustDomain, 'cluster.local')
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
  firedrill inject deploy/ | kubectl apply -f -      # its .yaml, .yml and .json, as kubectl -f reads a folder

What was injected or skipped, and why, is said on standard error. Injecting twice changes nothing.`,
    )
    .action(async (path: string, flags: InjectFlags) => {
      const { injectYaml } = await import('./offline.js');
      const { readValues } = await import('../install/values.js');
      const values = readValues({
        set: [
          `namespace=${flags.namespace}`,
          `trustDomain=${flags.trustDomain}`,
          `proxy.nativeSidecar=${flags.nativeSidecar}`,
          ...(flags.image === undefined ? [] : [`image=${flags.image}`]),
        ],
      });
      const { injectOptionsOf } = await import('./config.js');
      const options = {
        ...injectOptionsOf({ ...values, redirector: { enabled: flags.redirector ?? false } }),
        ...(flags.trustAnchors ? { trustAnchors: readInput(flags.trustAnchors) } : {}),
      };
      print(manifestsIn(path).map((file) => injectYaml(inputName(file), readInput(file), options)));
    });
  program
    .command('uninject')
    .description('Remove the proxy from the pods of YAML manifests')
    .argument('<path>', 'manifests, a folder of them, or - for standard input')
    .addHelpText(
      'after',
      '\nExample:\n  kubectl get deploy cart -o yaml | firedrill uninject - | kubectl apply -f -',
    )
    .action(async (path: string) => {
      const { uninjectYaml } = await import('./offline.js');
      print(manifestsIn(path).map((file) => uninjectYaml(inputName(file), readInput(file))));
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

/** A folder's manifests in the order of their names, as `kubectl -f FOLDER` reads them; a file is itself. */
function manifestsIn(path: string): string[] {
  const stats = (file: string) => statSync(file, { throwIfNoEntry: false });
  if (!stats(path)?.isDirectory()) return [path];
  const found = readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .map((name) => join(path, name))
    .filter((file) => !stats(file)?.isDirectory());
  if (found.length > 0) return found.sort();
  throw new UserError({
    message: `${path} has no manifest`,
    expected: 'a .yaml, .yml or .json file',
  });
}

/** Nothing is printed before each file was read: half of a folder would be applied as the whole. */
function print(results: { yaml: string; report: string[] }[]): void {
  if (results.every(({ yaml }) => yaml.trim() === '')) {
    throw new UserError({ message: 'the input is empty', expected: 'Kubernetes manifests' });
  }
  const [only, ...more] = results.map(({ yaml }) => yaml);
  process.stdout.write(
    more.length === 0
      ? (only ?? '')
      : [only, ...more]
          .map((yaml = '') => `${yaml.replace(/^---\n/, '').trimEnd()}\n`)
          .join('---\n'),
  );
  const lines = results.flatMap(({ report }) => report);
  if (lines.length === 0) lines.push('nothing is changed: no object has a pod');
  for (const line of lines) process.stderr.write(`${line}\n`);
}
