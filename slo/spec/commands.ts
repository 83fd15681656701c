/** `firedrill slo init`, `explain`, `diff`, `import`, `export` and `schema`. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../base/errors.js';
import type { InitAnswers } from './init.js';
import type { Slo } from './model.js';
import { formatOption } from '../../base/format-option.js';
import { sayRefused } from './refused.js';
import { choiceOption } from '../../base/choice-option.js';

interface InitFlags {
  service?: string;
  owner: string;
  objective: string;
  bad?: string;
  total?: string;
  prometheus?: string;
  out: string;
}

interface ExplainFlags {
  windows?: string;
  timeScale: string;
  eventsPerHour?: string;
  prometheus?: string;
  format: string;
}

export function registerSpec(slo: Command): void {
  slo
    .command('init')
    .description('Write a first SLO file, from questions, flags, or the services of a Prometheus')
    .option('--service <name>', 'name of the service; without it, the command asks')
    .option('--owner <team>', 'the owning team', 'team-unknown')
    .option('--objective <percent>', 'per cent of good events', '99.9')
    .option('--bad <counter>', "bad events (default: the mesh's success rate)")
    .option('--total <counter>', 'counter of all events')
    .option('--prometheus <url>', 'list the services and SLIs that it could be about')
    .option('-o, --out <file>', 'file, or - for standard output', '-')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill slo init --service cart.retail --owner team-shop -o cart.yaml' +
        '\n  firedrill slo init --prometheus http://localhost:9090',
    )
    .action(init);

  slo
    .command('explain')
    .description('Explain each SLO: error budget, burn rate alerts, detection times, cost')
    .argument('<path...>', 'files, folders, or -')
    .option('--time-scale <ratio>', 'factor of windows and durations, as in generate', '1')
    .option('--events-per-hour <n>', 'traffic (default: three examples)')
    .option('--prometheus <url>', 'measure the traffic over a day')
    .option('--windows <file>', 'alert windows of your own, as in generate')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill slo explain examples/slo/retail.yaml')
    .action(explainAll);

  slo
    .command('diff')
    .description('Compare two versions of SLOs: changes to alerts; exit 1 if there are any')
    .argument('<before>')
    .argument('<after>')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill slo diff main/slo.yaml branch/slo.yaml')
    .action(async (before: string, after: string, flags: { format: string }) => {
      const { readSlos } = await import('./read.js');
      const { diffSlos } = await import('../rules/diff.js');
      const changes = diffSlos(readSlos([before]), readSlos([after]));
      const text = changes.map(
        (c) => `${c.id}: ${c.change}\n${c.details.map((d) => `  ${d}\n`).join('')}`,
      );
      if (flags.format === 'json') process.stdout.write(json(changes));
      else process.stdout.write(changes.length > 0 ? text.join('') : 'nothing changes\n');
      if (changes.length > 0) process.exitCode = exitCode.failed;
    });

  slo
    .command('import')
    .description('Convert Sloth, OpenSLO and Pyrra files to the Firedrill format')
    .argument('<path...>', 'files, folders, or -')
    .option('-o, --out <file>', 'file, or - for standard output', '-')
    .option('--period <period>', 'period of SLOs whose format names none')
    .addHelpText('after', '\nExample:\n  firedrill slo import sloth.yaml -o slo.yaml')
    .action((paths: string[], flags: { out: string; period?: string }) =>
      convert(paths, 'firedrill', flags.out, flags.period),
    );

  slo
    .command('export')
    .description('Convert SLOs to another format')
    .argument('<path...>', 'files, folders, or -')
    .addOption(
      choiceOption('--to <format>', 'the format to write', [
        'firedrill',
        'sloth',
        'openslo',
        'argo',
        'flagger',
      ]).makeOptionMandatory(),
    )
    .option('--prometheus <url>', 'that Argo Rollouts or Flagger asks, in the cluster')
    .option('-o, --out <file>', 'file, or - for standard output', '-')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill slo export examples/slo/retail.yaml --to openslo' +
        '\n  firedrill slo export slo.yaml --to argo --prometheus http://prometheus.monitoring:9090',
    )
    .action((paths: string[], flags: { to: string; out: string; prometheus?: string }) =>
      flags.to === 'argo' || flags.to === 'flagger'
        ? exportRollouts(paths, flags.to, flags)
        : convert(paths, flags.to, flags.out),
    );

  slo
    .command('schema')
    .description('Print the JSON Schema of the SLO format, for editors')
    .addHelpText('after', '\nExample:\n  firedrill slo schema > slo.schema.json')
    .action(async () => {
      const { ownJsonSchema } = await import('./own-schema.js');
      process.stdout.write(json(ownJsonSchema()));
    });
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

async function explainAll(paths: string[], flags: ExplainFlags): Promise<void> {
  const { readSlos } = await import('./read.js');
  const { explain, explanationText } = await import('../rules/explain.js');
  const { parseTimeScale } = await import('../rules/generate.js');
  const { windowsOf } = await import('../rules/generate-command.js');
  const options = { timeScale: parseTimeScale(flags.timeScale), ...(await windowsOf(flags)) };
  const slos = readSlos(paths, { ...options, refused: sayRefused });
  const traffic = await trafficOf(slos, flags);
  const all = slos.map((s) => explain(s, options, traffic.get(s.id), slos));
  process.stdout.write(flags.format === 'json' ? json(all) : all.map(explanationText).join('\n'));
}

async function exportRollouts(
  paths: string[],
  to: 'argo' | 'flagger',
  flags: { out: string; prometheus?: string },
): Promise<void> {
  const { readSlos } = await import('./read.js');
  const { addressOf, rolloutObjects } = await import('./rollouts.js');
  const { writeAll } = await import('../rules/write-files.js');
  const slos = readSlos(paths, { refused: sayRefused });
  const text = rolloutObjects(slos, to, addressOf(flags.prometheus, to));
  writeAll(flags.out, true, new Map([['slos', text]]));
}

async function convert(paths: string[], to: string, out: string, period?: string): Promise<void> {
  const { readSlos } = await import('./read.js');
  const { exportFormats, exportSlos } = await import('./export.js');
  const { writeAll } = await import('../rules/write-files.js');
  const { parsePeriod } = await import('../rules/generate-command.js');
  const format = exportFormats.find((f) => f === to);
  if (!format) {
    const expected = [...exportFormats, 'argo', 'flagger'].join(', ');
    throw new UserError({ message: `--to ${to}`, expected });
  }
  const slos = readSlos(paths, {
    refused: sayRefused,
    ...(period === undefined ? {} : { period: parsePeriod(period) }),
  });
  writeAll(out, true, new Map([['slos', exportSlos(slos, format)]]));
  if (format === 'firedrill') return;
  const { leftOut } = await import('./left-out.js');
  for (const line of leftOut(slos, format)) process.stderr.write(`left out: ${line}\n`);
}

async function init(flags: InitFlags): Promise<void> {
  const { discover, initText } = await import('./init.js');
  const { readSloText } = await import('./read.js');
  const { writeAll } = await import('../rules/write-files.js');
  let { service, bad, total } = flags;
  let latency: InitAnswers['latency'];
  if (flags.prometheus !== undefined) {
    const { PrometheusClient } = await import('../budget/prometheus.js');
    const { realClock } = await import('../../base/clock.js');
    const client = new PrometheusClient(flags.prometheus);
    const found = await discover(client, realClock.nowMs());
    if (service === undefined) {
      const lines = found.map(
        (c) => `${c.service}\t${c.of ?? ''}\t${c.bad ?? 'M1, M2 of the mesh'}\n`,
      );
      const none = 'no service of the mesh and no counter with a status was found\n';
      process.stdout.write(lines.length > 0 ? lines.join('') : none);
      return;
    }
    const match = found.find((c) => c.service === service);
    bad ??= match?.bad;
    total ??= match?.total;
    latency = match?.latency;
    if (match === undefined && bad === undefined) {
      const names = [...new Set(found.map((c) => c.service))].slice(0, 20).join(', ');
      throw new UserError({
        message: `${client.url} measures no service called '${service}'`,
        expected: names === '' ? '--bad and --total' : names,
      });
    }
  }
  service ??= await ask('Which service? ');
  if ((bad === undefined) !== (total === undefined)) {
    throw new UserError({ message: '--bad and --total', expected: 'both or neither' });
  }
  const text = initText({
    service,
    owner: flags.owner,
    objective: Number(flags.objective),
    ...(bad === undefined || total === undefined ? {} : { bad, total }),
    ...(latency === undefined ? {} : { latency }),
  });
  readSloText('<the new file>', text);
  writeAll(flags.out, true, new Map([['slo', text]]));
}

/** Events an hour by the SLO's id: as given, or as measured by Prometheus over a day; absent if not known. */
async function trafficOf(slos: readonly Slo[], flags: ExplainFlags): Promise<Map<string, number>> {
  if (flags.eventsPerHour !== undefined) {
    const rate = Number(flags.eventsPerHour);
    if (!(rate > 0 && rate < Infinity)) {
      throw new UserError({
        message: `--events-per-hour ${flags.eventsPerHour}`,
        expected: 'a number above 0',
      });
    }
    return new Map(slos.map((s) => [s.id, rate]));
  }
  if (flags.prometheus === undefined) return new Map();
  const { PrometheusClient } = await import('../budget/prometheus.js');
  const { realClock } = await import('../../base/clock.js');
  const { eventsPerHour } = await import('../budget/traffic.js');
  return eventsPerHour(slos, new PrometheusClient(flags.prometheus), realClock.nowMs());
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UserError({ message: 'no service was named', expected: '--service <name>' });
  }
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}
