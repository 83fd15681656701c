/** `firedrill proxy`: runs one proxy as its own process, or checks a configuration. */
import type { Command } from 'commander';
import { formatOption } from '../../base/format-option.js';

export function registerProxy(program: Command): void {
  const proxy = program
    .command('proxy')
    .description('Run one proxy, from a file alone or with a controller')
    .option('--config <file>', 'configuration, YAML or JSON (mesh/proxy/README.md)')
    .addHelpText(
      'after',
      `
Examples:
  firedrill proxy --config proxy.yaml            # until SIGTERM, which drains
  firedrill proxy check proxy.yaml               # every mistake with file:line:column`,
    )
    .action(async (options: { config?: string }) => {
      if (options.config === undefined) return proxy.help();
      const { readConfigFile } = await import('./config-file.js');
      readConfigFile(options.config);
      const { runProxy } = await import('./launch.js');
      process.exitCode = await runProxy(options.config);
    });
  proxy
    .command('check')
    .description('Check a configuration without starting anything')
    .argument('<file>', 'configuration, YAML or JSON')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill proxy check proxy.yaml')
    .action(async (file: string, options: { format: string }) => {
      const { readConfigFile } = await import('./config-file.js');
      const config = readConfigFile(file);
      const destinations = config.state?.destinations.length ?? 0;
      process.stdout.write(
        options.format === 'json'
          ? `${JSON.stringify(config, null, 2)}\n`
          : `${file}: fine, ${destinations} destinations\n`,
      );
    });
}
