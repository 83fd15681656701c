/** The commands of game days and of load; `chaos` and `gameday`, two groups in version 0.1, are one group. */
import { Argument, type Command, Option } from 'commander';
import { withAccess } from '../base/access-options.js';
import { exitCode } from '../base/errors.js';
import type { ExportOptions } from './export/command.js';
import type { ListOptions } from './faults/list-command.js';
import type { CommandOptions } from './gameday/command.js';
import type { ReplayOptions } from './gameday/replay.js';
import type { TrendOptions } from './gameday/trend-command.js';
import type { LoadCommandOptions } from './load/command.js';
import { registerAcknowledge } from './gameday/acknowledgement.js';
import { registerHint } from './gameday/hint-desk.js';
import { registerCompare } from './gameday/compare-command.js';
import { registerRoute } from './gameday/route-command.js';
import { registerLoad } from './load/profile-command.js';
import { registerRelay } from './relay/command.js';
import { registerToolkit } from './toolkit/command.js';
import { registerKubernetes } from './system/kubernetes/commands.js';
import { registerInit } from './system/init-command.js';
import { registerDoctor } from './doctor/command.js';
import { formatOption } from '../base/format-option.js';
import { choiceOption, eachOf } from '../base/choice-option.js';

const loadOption = (): Option =>
  choiceOption('--load <kind>', 'program that sends the load', ['auto', 'embedded', 'k6']).default(
    'auto',
  );
const state = [
  '--state <folder>',
  'folder of the journal and the kill switch',
  '.firedrill',
] as const;

export function registerChaos(program: Command): void {
  registerInit(program);
  registerDoctor(program);
  const gameday = program
    .command('gameday')
    .description('Break a system on purpose, and prove that the right alerts fire in time');
  registerInit(gameday);
  registerRun(gameday);
  registerTrend(gameday);
  registerReplay(gameday);
  registerReport(gameday);
  registerRoute(gameday);
  registerCompare(gameday);
  registerAcknowledge(gameday);
  registerHint(gameday);
  registerScenarios(gameday);
  registerScenarioFiles(gameday);
  registerStatus(gameday);
  registerSwitch(gameday);
  registerToolkit(gameday);
  registerKubernetes(gameday);
  registerRelay(program);
  registerLoadRun(registerLoad(program));
}

/** The commands that list scenarios and faults, check them, and print their formats. */
function registerScenarios(gameday: Command): void {
  gameday
    .command('list')
    .description('List the built-in scenarios')
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill gameday list --format json')
    .action(async ({ format }: { format: string }) => {
      const { ownScenarios, readScenarios } = await import('./scenarios/read.js');
      const { formatTable } = await import('../base/terminal.js');
      const rows = readScenarios(ownScenarios()).map(({ scenario }) => ({
        id: scenario.id,
        failureMode: scenario.failureMode ?? null,
        title: scenario.title,
      }));
      const table = (): string =>
        formatTable(
          ['SCENARIO', 'MODE', 'TITLE'],
          rows.map((r) => [r.id, r.failureMode ?? '', r.title]),
        );
      process.stdout.write(`${format === 'json' ? JSON.stringify(rows, undefined, 2) : table()}\n`);
    });

  gameday
    .command('faults')
    .description('List the kinds of fault: settings, effect counters, and possible targets here')
    .option('--drill <file>', 'drill file (default: as in gameday run)')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
A setting with a question mark need not be given. What this machine cannot do is told with its reason.

Example:
  firedrill gameday faults --drill firedrill.yaml`,
    )
    .action(async (options: ListOptions) => {
      const { listFaults } = await import('./faults/list-command.js');
      await listFaults(options);
    });
}

function registerScenarioFiles(gameday: Command): void {
  gameday
    .command('check')
    .description('Check scenarios; report mistakes with file, line and column')
    .argument('<scenario...>', 'files, or built-in scenario names')
    .option(
      '-i, --input <path>',
      "SLO files to alert on; repeatable (default: the shop's own)",
      eachOf,
      [],
    )
    .addHelpText(
      'after',
      `
Every alert, label, severity, target, route, counter and runbook page that a scenario names must exist, every time
must fit, and something must be expected: exit code 2 otherwise, and nothing is started.

Example:
  firedrill gameday check scenarios/slow-database.yaml`,
    )
    .action(async (names: string[], options: { input: string[] }) => {
      const { checkCommand } = await import('./gameday/check.js');
      process.exitCode = await checkCommand(names, options.input);
    });

  gameday
    .command('show')
    .description('Print a scenario as it is written, as a beginning for one of your own')
    .argument('<scenario>', 'a file, or the name of a built-in scenario')
    .addHelpText('after', '\nExample:\n  firedrill gameday show killed-pod')
    .action(async (name: string) => {
      const { scenarioText } = await import('./scenarios/read.js');
      process.stdout.write(scenarioText(name));
    });

  gameday
    .command('schema')
    .description('Print the JSON Schema of a scenario or a firedrill.yaml, for editors')
    .addArgument(new Argument('[of]').choices(['scenario', 'drill']).default('scenario'))
    .addHelpText('after', '\nExample:\n  firedrill gameday schema drill > drill.schema.json')
    .action(async (of: string) => {
      const { scenarioJsonSchema } = await import('./scenarios/schema.js');
      const { drillJsonSchema } = await import('./system/drill-schema.js');
      const schema = of === 'drill' ? drillJsonSchema() : scenarioJsonSchema();
      process.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`);
    });

  gameday
    .command('export')
    .description('Export scenarios as Chaos Mesh workflows')
    .argument('<scenario...>', 'files, or built-in scenario names')
    .addOption(formatOption('chaos-mesh'))
    .option('-n, --namespace <name>', 'namespace of the workloads', 'default')
    .option('--control-namespace <name>', 'namespace of the controller', 'firedrill')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill gameday export killed-pod slow-dependency | kubectl apply -f -',
    )
    .action(async (names: string[], options: ExportOptions) => {
      const { exportScenarios } = await import('./export/command.js');
      process.exitCode = await exportScenarios(names, options);
    });
}

function registerStatus(gameday: Command): void {
  gameday
    .command('status')
    .description('Show the runs under way, their faults, and the kill switch; exit 1 after a crash')
    .addOption(formatOption('text', 'json'))
    .option(...state)
    .addHelpText('after', '\nExample:\n  firedrill gameday status --format json')
    .action(async (options: { state: string; format: string }) => {
      const { statusOf, statusText } = await import('./runner/status-command.js');
      const status = statusOf(options.state);
      const json = options.format === 'json';
      process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : statusText(status));
      if (status.runs.some((r) => !r.running)) process.exitCode = exitCode.failed;
    });
}

/** The commands that stop a run and clean up after a crash. */
function registerSwitch(gameday: Command): void {
  gameday
    .command('stop')
    .description(
      'Throw the kill switch: abort every run of this user, and block new runs until it is cleared',
    )
    .option('--reason <text>', 'reason that each stopped run prints', 'no reason given')
    .option('--clear', 'allow runs to begin again')
    .option('--state <folder>', 'stop only runs with this state folder')
    .addHelpText('after', "\nExample:\n  firedrill gameday stop --reason 'a real incident'")
    .action(async (options: { reason: string; clear?: boolean; state?: string }) => {
      const { clearSwitch, throwSwitch, userStateFolder } = await import('./runner/stop-switch.js');
      if (options.clear) {
        const folders =
          options.state === undefined ? [userStateFolder(), state[2]] : [options.state];
        const was = folders.map(clearSwitch).some(Boolean);
        process.stdout.write(was ? 'cleared: runs may begin\n' : 'the switch was not thrown\n');
        return;
      }
      const folder = options.state ?? userStateFolder();
      throwSwitch(folder, { reason: options.reason, atMs: Date.now() });
      process.stdout.write(
        'thrown: runs abort and roll back, new ones are refused until firedrill gameday stop --clear\n',
      );
    });

  gameday
    .command('recover')
    .description('Roll back the faults of a killed run, using its journal')
    .addOption(formatOption('text', 'json'))
    .option(...state)
    .option('--forget <run>', 'of that run, whose faults you rolled back by hand, undo nothing')
    .addHelpText('after', '\nExample:\n  firedrill gameday recover')
    .action(async (options: { state: string; format: string; forget?: string }) => {
      const { recover } = await import('./runner/recover.js');
      const recoveries = await recover(options.state, options.forget);
      if (recoveries.some((r) => r.failed.length > 0)) process.exitCode = exitCode.environment;
      if (options.format === 'json') {
        process.stdout.write(`${JSON.stringify(recoveries, undefined, 2)}\n`);
        return;
      }
      for (const r of recoveries) {
        const lines = r.running ? ['still running, left alone'] : [...r.done, ...r.failed];
        for (const line of lines.length > 0 ? lines : ['nothing was left']) {
          process.stdout.write(`${r.run}: ${line}\n`);
        }
      }
      if (recoveries.length === 0) process.stdout.write('nothing to recover\n');
    });
}

function registerLoadRun(load: Command): void {
  load
    .command('run')
    .description(
      'Test the example shop or --url under load against its SLOs: exit 1 if one is missed, 3 if none can be judged',
    )
    .option('--duration <duration>', 'duration, after two seconds of warming up', '30s')
    .option(
      '--rate <number>',
      "requests a second, all routes together (default: the profile's, or 50)",
    )
    .addOption(loadOption())
    .option('-i, --input <path>', "SLO files; repeatable (default: the shop's own)", eachOf, [])
    .option(
      '--url <url>',
      'address to load instead of the shop; without --profile, only GET / is sent',
    )
    .option('--profile <file>', 'load.yaml, a k6 script, a Locust file or a HAR recording')
    .option('--junit <file>', 'JUnit XML, for CI')
    .option('--print', 'print the profile as JSON, for k6 (chaos/load/README.md)')
    .option(...state)
    .addHelpText(
      'after',
      '\nExample:\n  firedrill load run --url http://127.0.0.1:8080 --profile load.yaml -i slo.yaml',
    )
    .action(async (options: LoadCommandOptions) => {
      const { loadCommand } = await import('./load/command.js');
      process.exitCode = await loadCommand(options);
    });
}

function registerTrend(gameday: Command): void {
  gameday
    .command('trend')
    .description('List past runs; exit 1 if the last run proved less than the one before')
    .option('--system <name>', 'system, if several were drilled here (default: the last)')
    .addOption(formatOption('text', 'json'))
    .option(...state)
    .addHelpText('after', '\nExample:\n  firedrill gameday trend --format json')
    .action(async (options: TrendOptions) => {
      const { trendCommand } = await import('./gameday/trend-command.js');
      process.exitCode = trendCommand(options);
    });
}

function registerRun(gameday: Command): void {
  const run = gameday
    .command('run')
    .description('Start a system, run scenarios against it under load, and write a report')
    .option('--dry-run', 'check everything and print the plan; nothing is started')
    .option('--confirm <name>', 'name of the drill, if its guard requires a confirmation')
    .option(
      '--surprise [seed]',
      'run scenarios in a random order, and name each in the terminal only once it is over',
    );
  withOptions(run)
    .addHelpText(
      'after',
      `
Exit codes: 0 every expectation held, 1 one did not, 3 nothing can be said (no effect, no load),
4 aborted, 5 the environment failed, 130 interrupted.

Examples:
  firedrill gameday run
  firedrill gameday run retry-storm --prometheus embedded --load embedded
  firedrill gameday run --prometheus http://prom:9090 --alertmanager http://am:9093 --listen 10.0.0.5:9099
  firedrill gameday run -i my-slos.yaml --scenarios drills/slow-database.yaml --junit junit.xml`,
    )
    .action(async (scenarios: string[], options: CommandOptions) => {
      const { gameDayCommand } = await import('./gameday/command.js');
      process.exitCode = await gameDayCommand(chosen(scenarios, options));
    });
  withOptions(
    gameday
      .command('plan')
      .description(
        'Show what a game day would break, expect and abort on, without starting anything',
      ),
  )
    .addHelpText(
      'after',
      '\nExit code 2 where a scenario cannot work.\n\nExample:\n  firedrill gameday plan killed-pod',
    )
    .action(async (scenarios: string[], options: CommandOptions) => {
      const { planCommand } = await import('./gameday/command.js');
      process.exitCode = await planCommand(chosen(scenarios, options));
    });
}

function registerReplay(gameday: Command): void {
  gameday
    .command('replay')
    .description('Replay a recorded game day, event by event')
    .argument('[folder]', 'of its report', 'gameday-report')
    .option('--speed <factor>', 'speed-up factor, or max', '10')
    .addOption(formatOption('text', 'json'))
    // Its name before there was `gameday report`.
    .addOption(new Option('--report <folder>').hideHelp())
    .addHelpText('after', '\nExample:\n  firedrill gameday replay gameday-report --speed 20')
    .action(async (folder: string, options: ReplayOptions) => {
      const { replayCommand } = await import('./gameday/replay.js');
      process.exitCode = await replayCommand(folder, options);
    });
}

function registerReport(gameday: Command): void {
  gameday
    .command('report')
    .description('Show the result of a recorded game day, or write its report again')
    .argument('[folder]', 'of its report', 'gameday-report')
    .option('-o, --out <folder>', 'write the report there, byte for byte, from the events alone')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill gameday report gameday-report\n' +
        '  firedrill gameday report gameday-report -o again',
    )
    .action(async (folder: string, { out }: { out?: string }) => {
      const { reportAgain } = await import('./gameday/replay.js');
      reportAgain(folder, out);
    });
}

/** Scenarios after the command, and those of the option. */
const chosen = (scenarios: readonly string[], options: CommandOptions): CommandOptions =>
  scenarios.length === 0
    ? options
    : { ...options, scenarios: [...scenarios, ...(options.scenarios ?? [])] };

/** The arguments and options that a run and its plan share. */
const withOptions = (command: Command): Command =>
  withAccess(
    command
      .argument(
        '[scenario...]',
        "names, the drill's or built-in ones, or file paths (default: all of the drill)",
      )
      .option(
        '--drill <file>',
        'drill file (default: firedrill.yaml of this folder; without one, the example shop)',
      )
      .option('--scenarios <list>', 'scenarios as the arguments, comma-separated', eachOf)
      .option('--time-scale <fraction>', "factor of windows and durations (default: the drill's)")
      .option(
        '--prometheus <kind>',
        'auto, embedded, real (with Alertmanager), or the address of one that runs already',
        'auto',
      )
      .addOption(loadOption())
      .option('--rate <number>', "requests a second, all routes together (default: the load's own)")
      .option(
        '-i, --input <path>',
        "SLO files to alert on; repeatable (default: the drill's)",
        eachOf,
        [],
      )
      .option(
        '--rules <file>',
        'rule files of Prometheus, run at the time scale; repeatable',
        eachOf,
        [],
      )
      .option(
        '--alertmanager <file>',
        'the alertmanager.yml under test: its receivers become sinks; or the address of one that runs',
      ),
  )
    .option('--listen <host:port>', 'address of their webhook route for the drill (gameday route)')
    .option('--receiver <name>', 'of that route (default: firedrill)')
    .option(
      '--prove-runbooks',
      "ask each runbook's questions before the fault and under it, and follow its Mitigation instead of the undo",
    )
    .option(
      '--silences <file>',
      'silences during the drill, as amtool silence query -o json prints them',
    )
    .option(
      '--routing-time <time>',
      'time at which time intervals and silences are judged (default: the real time)',
    )
    .option('-o, --out <folder>', 'folder of the report', 'gameday-report')
    .option('--junit <file>', "JUnit XML, for CI (also written to the report's folder)")
    .addOption(formatOption('text', 'json'))
    .option(
      '--allowance <duration>',
      'time added to each deadline for grouping and delivery, which no time scale shortens',
      '2s',
    )
    .option(...state);
