import type { Command } from 'commander';
import { exitCode, UserError } from './errors.js';
import { formatTable } from './terminal.js';
import { installTool } from './install-tool.js';
import { findTool, type ToolName, toolNames, tools } from './tools.js';
import { formatOption } from './format-option.js';

export function registerTools(program: Command): void {
  const command = program
    .command('tools')
    .description('Find and install programs that Firedrill can use, such as Prometheus and k6');

  command
    .command('list', { isDefault: true })
    .description('List the tools and where they were found')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill tools list --format json')
    .action((options: { format: string }) => {
      const rows = toolNames.map((name) => ({
        name,
        path: findTool(name) ?? null,
        purpose: tools[name].purpose,
      }));
      process.stdout.write(
        options.format === 'json'
          ? `${JSON.stringify(rows, undefined, 2)}\n`
          : `${formatTable(
              ['TOOL', 'PATH', 'PURPOSE'],
              rows.map((r) => [r.name, r.path ?? '(not found)', r.purpose]),
            )}\n`,
      );
    });

  command
    .command('install')
    .description(
      'Install tools: as root by the package manager, otherwise at pinned versions into the cache folder',
    )
    .argument('<tool...>', `any of: ${toolNames.join(', ')}, or all`)
    .addHelpText('after', '\nExample:\n  firedrill tools install prometheus alertmanager k6')
    .action(async (names: string[]) => {
      const wanted = names.includes('all') ? toolNames : names.map(checkedName);
      let failed = false;
      for (const name of wanted) {
        try {
          const path = await installTool(name, (line) => process.stderr.write(`${line}\n`));
          process.stdout.write(`${name}: ${path}\n`);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          failed = true;
          process.stderr.write(`${error.message}\n`);
        }
      }
      if (failed) process.exitCode = exitCode.environment;
    });
}

function checkedName(name: string): ToolName {
  if ((toolNames as string[]).includes(name)) return name as ToolName;
  throw new UserError({
    message: `unknown tool '${name}'`,
    expected: `one of ${toolNames.join(', ')}`,
  });
}
