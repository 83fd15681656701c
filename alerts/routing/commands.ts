/** `firedrill alerts routes`, `route` and `silence`. */
import { type Command, Option } from 'commander';
import type { InitFlags } from './init.js';
import { formatOption } from '../../base/format-option.js';
import { eachWhole } from '../../base/choice-option.js';

export interface RouteFlags {
  file?: string;
  config?: string;
  labels: string;
  at?: string;
  firing: string[];
  alertmanager?: string;
  expect?: string;
  format: string;
}

export interface GenerateFlags {
  file: string;
  out: string;
  validate: boolean;
  slos: string[];
  rules: string[];
}

export interface TestFlags {
  file: string;
  slos: string[];
  rules: string[];
  format: string;
}

export interface SilenceFlags {
  alertmanager: string;
  match: string[];
  duration: string;
  from?: string;
  comment: string;
  author: string;
  dryRun: boolean;
  window: string;
  format: string;
  expired: boolean;
}

const slosOption: [string, string, typeof eachWhole, string[]] = [
  '-i, --slos <path>',
  'SLOs: owners need a team, composites and parts inhibit one another (may be repeated)',
  eachWhole,
  [],
];
const rulesOption: [string, string, typeof eachWhole, string[]] = [
  '--rules <file>',
  'rule files whose owners and severities need a team (may be repeated)',
  eachWhole,
  [],
];

export function registerRouting(alerts: Command): void {
  const routes = alerts
    .command('routes')
    .description('Generate and test Alertmanager routing from a short declaration');
  routes
    .command('init')
    .description('Write a first declaration, with a team for each owner in SLOs and rules')
    .option(...slosOption)
    .option(...rulesOption)
    .option('-o, --out <file>', 'file, or - for standard output', '-')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill alerts routes init -i examples/slo -o routing.yaml',
    )
    .action(async (flags: InitFlags) => (await import('./init.js')).initRoutes(flags));
  routes
    .command('generate')
    .description('Write alertmanager.yaml and the escalation rules')
    .requiredOption('-f, --file <file>', 'the declaration')
    .requiredOption('-o, --out <path>', 'a folder, or - for standard output')
    .option(
      '--validate',
      'check it with amtool before writing, and require a team for every owner',
      false,
    )
    .option(...slosOption)
    .option(...rulesOption)
    .addHelpText(
      'after',
      '\nExample:\n  firedrill alerts routes generate -f examples/alerts/routing.yaml -o out/ --validate',
    )
    .action(async (flags: GenerateFlags) => (await import('./run.js')).generateRoutes(flags));
  routes
    .command('test')
    .description('Run the tests of a declaration: which receivers are notified, and when')
    .requiredOption('-f, --file <file>', 'the declaration')
    .option(...slosOption)
    .option(...rulesOption)
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExample:\n  firedrill alerts routes test -f examples/alerts/routing.yaml',
    )
    .action(async (flags: TestFlags) => (await import('./run.js')).testRoutes(flags));
  routes
    .command('schema')
    .description('Print the JSON Schema of a declaration, for editors')
    .addHelpText('after', '\nExample:\n  firedrill alerts routes schema > routing.schema.json')
    .action(async () => {
      const { routingJsonSchema } = await import('./declaration.js');
      process.stdout.write(`${JSON.stringify(routingJsonSchema(), undefined, 2)}\n`);
    });

  alerts
    .command('route')
    .description('Show which receivers an alert would notify, and why')
    .option('-f, --file <file>', 'the declaration')
    .option('--config <file>', "an Alertmanager's configuration instead")
    .requiredOption('--labels <labels>', 'labels of the alert: a=b,c=d')
    .option('--at <time>', 'a time such as 2026-12-01T22:00:00Z (default: now)')
    .option('--firing <labels>', 'labels of another firing alert (may be repeated)', eachWhole, [])
    .option('--alertmanager <url>', 'use the alerts and silences of this Alertmanager')
    .option('--expect <receivers>', 'exit with 1 unless exactly these are notified; none: nobody')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', routeExample)
    .action(async (flags: RouteFlags) => (await import('./run.js')).explainRoute(flags));
  registerSilence(alerts);
}

const routeExample = `
Examples:
  firedrill alerts route -f examples/alerts/routing.yaml \\
    --labels alertname=MeshRetryStorm,severity=page,owner=platform,service=payment
  firedrill alerts route --config alertmanager.yml --labels severity=ticket --at 2026-12-06T03:00:00Z
  firedrill alerts route -f routing.yaml --labels alertname=MeshProxiesDisconnected,severity=page \\
    --firing alertname=MeshControlPlaneDown,severity=page --expect none`;

function registerSilence(alerts: Command): void {
  const silence = alerts
    .command('silence')
    .description('Create, list and expire silences of a running Alertmanager');
  const url = 'http://localhost:9093';
  silence
    .command('create')
    .description('Silence matching alerts for a while, with a reason')
    .option('--alertmanager <url>', "Alertmanager's address", url)
    .option(
      '-m, --match <matcher>',
      'a matcher such as service="payment"; all must match',
      eachWhole,
      [],
    )
    .option('-d, --duration <duration>', 'duration', '1h')
    .option('--from <time>', 'start (default: now)')
    .requiredOption('-c, --comment <text>', 'reason')
    .addOption(new Option('--author <name>', 'who').default(process.env.USER ?? '', '$USER'))
    .option('--dry-run', 'only list the alerts that it would silence', false)
    .addHelpText(
      'after',
      '\nExample:\n  firedrill alerts silence create -m service=payment -m severity=ticket -d ' +
        '2h -c "new disks"',
    )
    .action(async (flags: SilenceFlags) => (await import('./silence-run.js')).create(flags));
  silence
    .command('list')
    .description('List active and pending silences')
    .option('--alertmanager <url>', "Alertmanager's address", url)
    .option('--expired', 'list expired silences, too', false)
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill alerts silence list')
    .action(async (flags: SilenceFlags) => (await import('./silence-run.js')).list(flags));
  silence
    .command('expire')
    .description('Expire silences now')
    .argument('<id...>', 'their ids')
    .option('--alertmanager <url>', "Alertmanager's address", url)
    .addHelpText('after', '\nExample:\n  firedrill alerts silence expire 0d0a8d2e-…')
    .action(async (ids: string[], flags: SilenceFlags) =>
      (await import('./silence-run.js')).expire(ids, flags),
    );
  silence
    .command('plan')
    .description('Create the silences of a maintenance calendar')
    .argument('<calendar>', 'a file of kind MaintenanceCalendar')
    .option('--alertmanager <url>', "Alertmanager's address", url)
    .option('--window <duration>', 'how far ahead', '14d')
    .option('--dry-run', 'only list the changes', false)
    .addHelpText(
      'after',
      '\nExample:\n  firedrill alerts silence plan examples/alerts/maintenance.yaml --dry-run',
    )
    .action(async (calendar: string, flags: SilenceFlags) =>
      (await import('./silence-run.js')).plan(calendar, flags),
    );
}
