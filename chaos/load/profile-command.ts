/** `firedrill load ...`: commands that make, check and describe profiles. */
import type { Command } from 'commander';
import { eachOf } from '../../base/choice-option.js';
import { UserError } from '../../base/errors.js';
import { formatOption } from '../../base/format-option.js';
import { counted } from '../../base/terminal.js';
import { writeFileWhole } from '../../base/write-file.js';
import type { LoadExportOptions } from './export-command.js';
import type { ProbeOptions } from './probe-command.js';

interface FromOptions {
  writes?: boolean;
  rate: string;
  out?: string;
}

/** The command group to which `load run` is added. */
export function registerLoad(program: Command): Command {
  const load = program
    .command('load')
    .description('Run load tests, and make or check load profiles');

  load
    .command('from')
    .description('Make a load profile from a HAR recording or an OpenAPI description')
    .argument('<kind>', 'har or openapi')
    .argument('<file>')
    .option('--writes', 'keep POST, PUT, PATCH and DELETE, which are left out otherwise')
    .option('--rate <number>', 'requests a second, all routes together', '50')
    .option('-o, --out <file>', 'output file (default: standard output)')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill load from har session.har -o load.yaml\n' +
        '  firedrill load run --url http://127.0.0.1:8080 --profile load.yaml',
    )
    .action(async (kind: string, file: string, options: FromOptions) => {
      const text = await profileFrom(kind, file, options);
      if (options.out === undefined) process.stdout.write(text);
      else writeFileWhole(options.out, text);
    });

  load
    .command('check')
    .description('Check load files; report mistakes with file, line and column')
    .argument('<file...>')
    .addHelpText('after', '\nExample:\n  firedrill load check load.yaml')
    .action(async (files: string[]) => {
      const { readLoad } = await import('./load-file.js');
      for (const file of files) {
        const plan = readLoad(file);
        const what =
          plan.kind === 'profile'
            ? counted(plan.profile.routes.length, 'route')
            : `a ${plan.kind} script`;
        process.stdout.write(`${file}: ${what}, well formed\n`);
      }
    });

  load
    .command('probe')
    .description('Send a load profile until stopped, and expose the results to Prometheus')
    .argument('<file>', 'load.yaml; its checks of bodies are what a status cannot tell')
    .option('--url <url>', "address (default: the file's own)")
    .option('--rate <number>', 'requests a second, all routes together', '1')
    .option('--listen <address>', 'address for Prometheus to scrape', '127.0.0.1:9115')
    .option('--state <folder>', 'folder of the kill switch', '.firedrill')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill load probe probes.yaml --url http://shop:8080 --rate 2',
    )
    .action(async (file: string, options: ProbeOptions) => {
      const { probeCommand } = await import('./probe-command.js');
      process.exitCode = await probeCommand(file, options);
    });

  registerExport(load);

  load
    .command('schema')
    .description('Print the JSON Schema of a load file, for editors')
    .addHelpText('after', '\nExample:\n  firedrill load schema > load.schema.json')
    .action(async () => {
      const { loadJsonSchema } = await import('./load-schema.js');
      process.stdout.write(`${JSON.stringify(loadJsonSchema(), undefined, 2)}\n`);
    });
  return load;
}

function registerExport(load: Command): void {
  load
    .command('export')
    .description('Print a load profile as objects of the k6-operator, for clusters')
    .argument('<file>', 'load.yaml, or a HAR recording')
    .addOption(formatOption('k6-operator'))
    .option('--url <url>', "address of the service in the cluster (default: the file's own)")
    .option('--rate <number>', "requests a second, all routes together (default: the file's own)")
    .option(
      '-i, --input <path>',
      'SLO files, whose objectives become thresholds; repeatable',
      eachOf,
      [],
    )
    .option('--name <name>', 'name of the objects', 'firedrill-load')
    .option('-n, --namespace <name>', 'namespace of the objects', 'default')
    .option('--parallelism <number>', 'number of pods that share the load', '1')
    .option('--duration <duration>', 'duration', '10m')
    .addHelpText(
      'after',
      '\nExample:\n' +
        '  firedrill load export load.yaml --url http://front.shop:8080 -i slos/ | kubectl apply -f -',
    )
    .action(async (file: string, options: LoadExportOptions) => {
      const { exportLoad } = await import('./export-command.js');
      process.exitCode = exportLoad(file, options);
    });
}

async function profileFrom(kind: string, file: string, options: FromOptions): Promise<string> {
  const rate = Number(options.rate);
  if (!(rate >= 0.1 && rate <= 10_000)) {
    throw new UserError({ message: `bad --rate '${options.rate}'`, expected: '0.1 to 10000' });
  }
  if (kind !== 'har' && kind !== 'openapi') {
    throw new UserError({ message: `unknown kind '${kind}'`, expected: 'har or openapi' });
  }
  const { readHar } = await import('./from-har.js');
  const { readOpenApi } = await import('./from-openapi.js');
  const { loadFileText } = await import('./derived.js');
  const read = kind === 'har' ? readHar : readOpenApi;
  const { profile, left } = read(file, { rate, writes: options.writes === true });
  const head = [
    `From ${file}: ${counted(profile.routes.length, 'route')}.`,
    ...left.map((l) => `Left out: ${l}.`),
  ];
  return loadFileText(profile, head);
}
