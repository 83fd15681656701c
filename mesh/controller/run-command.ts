/** `firedrill controller`: runs a controller, checks a registry file, queries a running controller. */
import type { Command } from 'commander';
import { boundedJson } from '../../base/bounded-answer.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';
import { formatOption } from '../../base/format-option.js';
import { counted } from '../../base/terminal.js';
import { readTrustDomain } from '../identity/names.js';

export function registerControllerRun(program: Command): void {
  const controller = program
    .command('controller')
    .description('Run the control plane outside Kubernetes');
  controller
    .command('run')
    .description('Run a controller in the foreground until SIGTERM')
    .requiredOption('--config <file>', 'configuration, YAML or JSON (mesh/controller/README.md)')
    .addHelpText('after', '\nExample:\n  firedrill controller run --config controller.yaml')
    .action(async (options: { config: string }) => {
      const { runController } = await import('./main.js');
      await runController(options.config);
      // Runs until a signal ends it.
      await new Promise(() => undefined);
    });
  controller
    .command('validate')
    .description('Check that a registry file is well-formed; report each mistake with its place')
    .argument('<registry>', 'registry file')
    .option(
      '--trust-domain <name>',
      'trust domain of its identities',
      readTrustDomain,
      'cluster.local',
    )
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill controller validate registry.yaml --format json')
    .action(async (file: string, options: { trustDomain: string; format: string }) => {
      const { compileRegistry } = await import('./registry/compile.js');
      const { inputName, readInput } = await import('../../base/input.js');
      const name = inputName(file);
      const { snapshot } = compileRegistry(name, readInput(file), options.trustDomain);
      if (options.format === 'json') {
        process.stdout.write(`${JSON.stringify(snapshot, null, 2)}\n`);
        return;
      }
      const endpoints = snapshot.destinations
        .flatMap((d) => d.backends)
        .reduce((sum, b) => sum + b.endpoints.length, 0);
      const servers = snapshot.servers.reduce((sum, s) => sum + s.servers.length, 0);
      process.stdout.write(
        `${name}: ${counted(snapshot.destinations.length, 'service')}, ${counted(endpoints, 'endpoint')}, ` +
          `${counted(servers, 'server')}\n`,
      );
    });
  controller
    .command('status')
    .description('Show the issuer, sources and proxies of a running controller')
    .requiredOption('--admin <url>', 'its admin address, such as http://127.0.0.1:9990')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill controller status --admin http://127.0.0.1:9990')
    .action(async (options: { admin: string; format: string }) => {
      const { formatStatus } = await import('./status.js');
      const [state, proxies] = await Promise.all([
        getJson(options.admin, '/state'),
        getJson(options.admin, '/proxies'),
      ]);
      process.stdout.write(
        options.format === 'json'
          ? `${JSON.stringify({ state, proxies }, null, 2)}\n`
          : formatStatus(state, proxies),
      );
    });
}

/** Rejects with a UserError when the controller does not answer. */
export async function getJson(admin: string, path: string): Promise<unknown> {
  try {
    const response = await fetch(new URL(path, admin), { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await boundedJson(response);
  } catch (error) {
    throw new UserError(`${admin}${path}: ${whyUnanswered(error)}`, exitCode.environment);
  }
}
