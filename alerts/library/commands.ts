/** `firedrill alerts generate` and `list`. */
import type { Command } from 'commander';
import { counted } from '../../base/terminal.js';
import type { LibraryOptions } from './library.js';
import type { LibraryFormat } from './write.js';
import { formatOption } from '../../base/format-option.js';

interface Flags {
  out: string;
  format: LibraryFormat;
  timeScale: string;
  scrapeInterval?: string;
  runbookBase?: string;
  dashboardBase?: string;
  owner?: string;
  controllerJob?: string;
  proxyJob?: string;
  namespace: string;
}

const example = `
Examples:
  firedrill alerts generate -o rules/
  firedrill alerts generate -o - > rules.yaml && promtool check rules rules.yaml
  firedrill alerts generate -o k8s/ --format prometheusrule --namespace monitoring
  firedrill alerts generate -o drill.yaml --time-scale 1/120 --scrape-interval 250ms`;

export function registerLibrary(alerts: Command): void {
  alerts
    .command('generate')
    .description('Write the alert library as Prometheus rules')
    .requiredOption('-o, --out <path>', 'a .yaml file, a folder (one file a group), or -')
    .addOption(formatOption('rules', 'prometheusrule'))
    .option('--time-scale <ratio>', 'multiply every range, interval and wait, for drills', '1')
    .option(
      '--scrape-interval <duration>',
      'scrape interval; every range is at least four times as long',
    )
    .option('--runbook-base <url>', "base URL of the runbooks; the alert's name is added")
    .option('--dashboard-base <url>', "base URL of the dashboards; the dashboard's id is added")
    .option('--owner <team>', "the mesh's owner", 'platform')
    .option('--controller-job <job>', "the controller's job in Prometheus")
    .option('--proxy-job <job>', "the proxies' job in Prometheus")
    .option('-n, --namespace <name>', 'namespace of the Kubernetes object', 'monitoring')
    .addHelpText('after', example)
    .action(async (flags: Flags) => {
      const { libraryGroups } = await import('./library.js');
      const { libraryFiles } = await import('./write.js');
      const { isOneFile, writeAll } = await import('../../slo/rules/write-files.js');
      const groups = libraryGroups(await optionsOf(flags));
      const single = isOneFile(flags.out);
      const { format, namespace } = flags;
      writeAll(flags.out, single, libraryFiles(groups, { format, namespace, single }));
      const count = groups.reduce((sum, g) => sum + g.rules.length, 0);
      if (flags.out !== '-') process.stderr.write(`${counted(count, 'alert')} in ${flags.out}\n`);
    });

  alerts
    .command('list')
    .description('List the alert library: severity, and which alerts inhibit which')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      "\nExample:\n  firedrill alerts list --format json | jq '.[] | {name, timing}'",
    )
    .action(async (flags: { format: string }) => {
      const { listLibrary, listText } = await import('./list.js');
      const list = listLibrary();
      process.stdout.write(
        flags.format === 'json' ? `${JSON.stringify(list, undefined, 2)}\n` : listText(list),
      );
    });
}

async function optionsOf(flags: Flags): Promise<LibraryOptions> {
  const { parseTimeScale } = await import('../../slo/rules/generate.js');
  const { parseDurationMs } = await import('../../base/duration.js');
  const { UserError } = await import('../../base/errors.js');
  const { meshJobs } = await import('../../slo/spec/mesh-metrics.js');
  const { runbookBase, dashboardBase, owner, scrapeInterval } = flags;
  const scrapeIntervalMs = scrapeInterval === undefined ? 0 : parseDurationMs(scrapeInterval);
  if (scrapeIntervalMs === undefined) {
    throw new UserError({
      message: `--scrape-interval ${scrapeInterval}`,
      expected: 'a duration such as 15s',
    });
  }
  return {
    timeScale: parseTimeScale(flags.timeScale),
    scrapeIntervalMs,
    ...(runbookBase === undefined ? {} : { runbookBase }),
    ...(dashboardBase === undefined ? {} : { dashboardBase }),
    ...(owner === undefined ? {} : { owner }),
    jobs: {
      controller: flags.controllerJob ?? meshJobs.controller,
      proxy: flags.proxyJob ?? meshJobs.proxy,
    },
  };
}
