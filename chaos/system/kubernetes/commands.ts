/** Verbs for drills on a cluster: gameday rbac, and gameday keep, which runs in the cluster. */
import type { Command } from 'commander';

export function registerKubernetes(chaos: Command): void {
  chaos
    .command('rbac')
    .description('Print the Kubernetes roles that a drill needs, for its runner and its keeper')
    .argument('[file]', 'with system: kubernetes', 'firedrill.yaml')
    .option('--runner <name>', 'USER, or NAMESPACE:SERVICEACCOUNT (default: a new account)')
    .addHelpText(
      'after',
      `
Only what the faults of the file's scenarios need, by name where Kubernetes can. The keeper is the pod that takes
faults back when the runner is gone.

Example:
  firedrill gameday rbac firedrill.yaml --runner jane@example.com | kubectl apply -f -`,
    )
    .action(async (file: string, options: { runner?: string }) => {
      const { rbacCommand } = await import('./rbac-command.js');
      process.exitCode = await rbacCommand(file, options.runner);
    });
  chaos
    .command('keep', { hidden: true })
    .description('Roll back faults whose lease lapsed; runs in the cluster')
    .requiredOption('-n, --namespace <name>')
    .requiredOption('--drill <name>')
    .option('--kubeconfig <file>')
    .action(async (options: { namespace: string; drill: string; kubeconfig?: string }) => {
      const { keepCommand } = await import('./keeper-command.js');
      process.exitCode = await keepCommand(options);
    });
}
