/** `firedrill dashboards generate` and `preview`. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.js';
import { sayRefused } from '../spec/refused.js';
import type { Answers } from './answers.js';

interface PreviewFlags {
  input: string[];
  prometheus?: string;
  recorded?: string;
  save?: string;
  window: string;
  rateInterval: string;
  step: string;
  windows?: string;
  mesh?: boolean;
  out: string;
}

export function registerDashboards(program: Command): void {
  const dashboards = program
    .command('dashboards')
    .description('Generate and preview Grafana dashboards');

  dashboards
    .command('generate')
    .description('Write Grafana JSON, one file for each dashboard')
    .requiredOption('-i, --input <path...>', 'SLO files, folders, or -')
    .requiredOption('-o, --out <folder>', 'folder, made if it is missing')
    .option('--step <duration>', 'base resolution of the rules', '30s')
    .option('--windows <file>', 'alert windows of your own, as in slo generate')
    .option('--mesh', 'use metrics of proxies (default: if an SLO uses them)')
    .option('--no-mesh', 'use the SLOs alone')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill dashboards generate -i examples/slo -o dashboards/',
    )
    .action(async (flags: Parameters<typeof dashboardsOf>[0] & { out: string }) => {
      const { grafanaJson } = await import('./grafana.js');
      const { writeAll } = await import('../rules/write-files.js');
      const all = await dashboardsOf(flags);
      writeAll(flags.out, false, new Map(all.map((d) => [`${d.uid}.json`, grafanaJson(d)])));
      process.stderr.write(`${all.length} dashboards in ${flags.out}\n`);
    });

  dashboards
    .command('preview')
    .description('Render all dashboards as one HTML page, without Grafana')
    .requiredOption('-i, --input <path...>', 'SLO files, folders, or -')
    .option('--prometheus <url>', 'live data')
    .option('--recorded <file>', 'data from --save')
    .option('--save <file>', 'save the data to a file')
    .option('--window <duration>', 'how far back the plots reach', '1h')
    .option('--rate-interval <duration>', 'range of rate(), at least two scrapes', '5m')
    .option('--step <duration>', 'base resolution of the rules', '30s')
    .option('--windows <file>', 'alert windows of your own, as in slo generate')
    .option('--mesh', 'use metrics of proxies (default: if an SLO uses them)')
    .option('--no-mesh', 'use the SLOs alone')
    .option('-o, --out <file>', 'file of the page', 'dashboards.html')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill dashboards preview -i examples/slo --prometheus http://localhost:9090',
    )
    .action(async (flags: PreviewFlags) => {
      const { previewHtml } = await import('./preview.js');
      const { writeAll } = await import('../rules/write-files.js');
      const all = await dashboardsOf(flags);
      const answers = await answersFor(flags, all);
      writeAll(flags.out, true, new Map([['page', previewHtml(all, answers)]]));
      if (flags.save !== undefined) {
        writeAll(flags.save, true, new Map([['answers', JSON.stringify(answers)]]));
      }
      process.stderr.write(`${all.length} dashboards in ${flags.out}\n`);
    });
}

async function dashboardsOf(flags: {
  input: string[];
  step: string;
  windows?: string;
  mesh?: boolean;
}) {
  const { readSlos } = await import('../spec/read.js');
  const { allDashboards } = await import('./dashboards.js');
  const { parseStep } = await import('../rules/generate.js');
  const { windowsOf } = await import('../rules/generate-command.js');
  const { windows } = await windowsOf(flags);
  const slos = readSlos(flags.input, { refused: sayRefused, windows: windows ?? 'any' });
  return allDashboards(slos, parseStep(flags.step), flags.mesh, windows);
}

async function answersFor(
  flags: PreviewFlags,
  all: Awaited<ReturnType<typeof dashboardsOf>>,
): Promise<Answers> {
  const { parseDurationMs } = await import('../../base/duration.js');
  if ((flags.prometheus === undefined) === (flags.recorded === undefined)) {
    throw new UserError({
      message: 'where the data comes from',
      expected: 'either --prometheus or --recorded',
    });
  }
  if (flags.recorded !== undefined) {
    const { readAnswers } = await import('./answers.js');
    const { readInput, inputName } = await import('../../base/input.js');
    const answers = readAnswers(inputName(flags.recorded), readInput(flags.recorded));
    if (answers) return answers;
    throw new UserError({
      message: `${flags.recorded} holds no answers`,
      expected: 'a file of --save',
    });
  }
  const { PrometheusClient } = await import('../budget/prometheus.js');
  const { askPanels } = await import('./answers.js');
  const { realClock } = await import('../../base/clock.js');
  const duration = (option: string, text: string): number => {
    const ms = parseDurationMs(text);
    if (ms === undefined || ms === 0) {
      throw new UserError({ message: `${option} ${text}`, expected: 'a duration such as 5m' });
    }
    return ms;
  };
  const endMs = realClock.nowMs();
  const startMs = endMs - duration('--window', flags.window);
  const rateIntervalMs = duration('--rate-interval', flags.rateInterval);
  const prometheus = new PrometheusClient(flags.prometheus ?? '');
  return askPanels(all, prometheus, { startMs, endMs, rateIntervalMs });
}
