/** `firedrill check`: before an installation, after it, and of the proxies. */
import type { Command } from 'commander';
import { messageOf } from '../../../base/errors.js';
import { formatOption } from '../../../base/format-option.js';

interface Options {
  pre?: boolean;
  proxy?: boolean;
  namespace: string;
  proxyNamespace?: string;
  prometheus?: string;
  format: string;
  kubeconfig?: string;
  context?: string;
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('Check the cluster and the mesh; each failed check gives the reason and a fix')
    .option(
      '--pre',
      'check before an installation: can this cluster take the mesh, and may you install it',
    )
    .option('--proxy', 'also the proxies in pods')
    .option('-n, --namespace <name>', "the control plane's", 'firedrill')
    .option('--proxy-namespace <name>', 'with --proxy: only these pods')
    .option('--prometheus <url>', 'a URL, or NAMESPACE/SERVICE:PORT; default: it is looked for')
    .addOption(formatOption('text', 'short', 'json'))
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addHelpText(
      'after',
      `
Examples:
  firedrill check --pre
  firedrill check --proxy --format json
  firedrill check --prometheus monitoring/prometheus:9090

Exit code 0: all well or warnings only. 1: something failed. 3: nothing failed of all that you may look at.`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials, tokenCredentials } = await import('../client/credentials.js');
  const { realClock } = await import('../../../base/clock.js');
  const { apiChecks, installedChecks, preChecks } = await import('./cluster-checks.js');
  const { identityChecks } = await import('./identity-checks.js');
  const { redirectionChecks } = await import('./redirection-checks.js');
  const { proxyChecks } = await import('./proxy-checks.js');
  const { scrapeChecks } = await import('./scrape-checks.js');
  const { exitCodeOf, renderResults, runChecks } = await import('./run.js');
  let unconfigured: string | undefined;
  const credentials = await findCredentials(options).catch((error: unknown) => {
    unconfigured = messageOf(error);
    return tokenCredentials('http://127.0.0.1', '', '');
  });
  const api = new KubeApi(credentials);
  const checks = options.pre
    ? [...apiChecks, ...preChecks]
    : [
        ...apiChecks,
        ...installedChecks,
        ...redirectionChecks,
        ...identityChecks,
        ...scrapeChecks,
        ...(options.proxy ? proxyChecks : []),
      ];
  const order = [...new Set(checks.map((check) => check.category))];
  checks.sort((a, b) => order.indexOf(a.category) - order.indexOf(b.category));
  const context = {
    unconfigured,
    api,
    clock: realClock,
    namespace: options.namespace,
    proxyNamespace: options.proxyNamespace,
    prometheus: options.prometheus,
  };
  const results = await runChecks(checks, context);
  api.close();
  process.exitCode = exitCodeOf(results);
  const success = process.exitCode === 0;
  if (options.format === 'json')
    process.stdout.write(`${JSON.stringify({ success, results }, undefined, 2)}\n`);
  else {
    const shown =
      options.format === 'short' ? results.filter((r) => r.result !== 'success') : results;
    process.stdout.write(`${renderResults(shown)}\n`);
  }
}
