/** `firedrill alerts mutate`: edits every rule slightly and lists the edits that no test notices. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import { counted } from '../../../base/terminal.js';
import type { Mutant } from './mutate.js';
import { formatOption } from '../../../base/format-option.js';

interface Flags {
  tests: string[];
  run?: string;
  format: string;
  min?: string;
  write?: string;
  stories: boolean;
  prometheusVersion: string;
}

export function registerMutate(alerts: Command): void {
  alerts
    .command('mutate')
    .description('Mutate rules, and list the mutants that the tests do not kill')
    .argument('<rules...>', 'rule files')
    .requiredOption('--tests <file...>', "files of tests, in promtool's format")
    .option('--run <regex>', 'only rules whose name matches')
    .addOption(formatOption('text', 'json'))
    .option('--min <percent>', 'exit with 1 if the tests notice a smaller share of the edits')
    .option('--write <file>', 'write the missing tests, for you to review')
    .option(
      '--no-stories',
      'do not search for equivalent edits: faster, but lists every surviving edit',
    )
    .option('--prometheus-version <major>', '2: ranges include both ends, as before version 3', '3')
    .addHelpText(
      'after',
      '\nEdits: for, keep_firing_for, thresholds, comparisons, and/or/unless, matchers, windows, joins, aggregations.' +
        '\nAn edit counts as equivalent only if the edited rule and the original fire alike in every story that was' +
        '\ngenerated near those of the tests, and the original fires in some of them and not in others.' +
        '\n\nExamples:\n  firedrill alerts mutate rules/*.yaml --tests tests/*.yaml' +
        '\n  firedrill alerts mutate rules/shop.yaml --tests tests/shop.yaml --write tests/shop-missing.yaml' +
        '\n  firedrill alerts mutate rules/*.yaml --tests tests/*.yaml --min 95 --format json' +
        '\n\nExit codes: 0 measured, 1 below --min, 2 a file cannot be read or the tests fail unedited.',
    )
    .action(run);
}

async function run(rules: string[], flags: Flags): Promise<void> {
  const { mutate, scoreOf } = await import('./mutate.js');
  const { Progress } = await import('../../../base/terminal.js');
  if (flags.format !== 'text' && flags.format !== 'json') {
    throw new UserError({ message: `--format ${flags.format}`, expected: 'text or json' });
  }
  if (!/^[23]$/.test(flags.prometheusVersion)) {
    const message = `--prometheus-version ${flags.prometheusVersion}`;
    throw new UserError({ message, expected: '2 or 3' });
  }
  const least = flags.min === undefined ? undefined : Number(flags.min);
  if (least !== undefined && !(least >= 0 && least <= 100)) {
    throw new UserError({ message: `--min ${flags.min}`, expected: '0 to 100' });
  }
  const status = new Progress(process.stderr);
  const { mutants, affected } = mutate(rules, flags.tests, {
    only: flags.run === undefined ? undefined : pattern(flags.run),
    stories: flags.stories || flags.write !== undefined,
    closedRanges: flags.prometheusVersion === '2',
    progress: (text) => status.update(text),
  });
  status.clear();
  if (mutants.length === 0) {
    throw new UserError('there is nothing to edit: no file has a rule, or none matches --run');
  }
  const score = scoreOf(mutants);
  if (flags.format === 'json') {
    const survivors = mutants.filter((m) => m.state === 'survived').map(survivorOf);
    const answer = { ...score, survivors };
    process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  } else {
    process.stdout.write(textOf(mutants, score));
  }
  if (flags.write !== undefined) {
    const { testsFor } = await import('./write-tests.js');
    await writeAll(flags.write, testsFor(mutants, affected, flags.write));
  }
  if (least !== undefined && score.percent < least) process.exitCode = exitCode.failed;
}

const survivorOf = ({ read, name, mutation, difference }: Mutant) => ({
  ...read.place,
  rule: name,
  kind: mutation.kind,
  change: mutation.change,
  shown: difference !== undefined,
});

function textOf(
  mutants: readonly Mutant[],
  score: { mutants: number; killed: number; equivalent: number; percent: number },
): string {
  const lines = mutants
    .filter((m) => m.state === 'survived')
    .map(({ read: { place }, name, mutation, difference }) => {
      const why = difference
        ? difference.fires
          ? 'in one story the rule fires and the edit does not (or has other labels)'
          : 'in one story the edit fires and the rule does not'
        : 'the rule fired in all stories or in none, so nothing is known';
      return `${place.file}:${place.line}:${place.column}: ${name}: ${mutation.change}: ${why}`;
    });
  const survived = lines.length;
  lines.push(
    `${counted(score.mutants, 'edit')}: ${score.killed} noticed, ${score.equivalent} equivalent, ` +
      `${survived} not noticed: ${score.percent}% of those that matter are noticed`,
  );
  return `${lines.join('\n')}\n`;
}

async function writeAll(
  file: string,
  written: import('./write-tests.js').WrittenTests,
): Promise<void> {
  const { writeFileWhole } = await import('../../../base/write-file.js');
  const { formatDurationMs } = await import('../../../base/duration.js');
  const { documents } = written;
  const paths = documents.map(({ text, evaluationIntervalMs }, i) => {
    const suffix = i === 0 ? '' : `-${formatDurationMs(evaluationIntervalMs)}`;
    const path = file.replace(/(\.ya?ml)?$/, (ending) => `${suffix}${ending}`);
    writeFileWhole(path, text);
    return path;
  });
  if (paths.length > 0) {
    process.stderr.write(
      `${paths.join(', ')}: tests for ${counted(written.mutants, 'edit')}; read them before you keep them\n`,
    );
  }
  if (documents.length === 0) process.stderr.write('no test is missing that could be written\n');
  if (written.left > 0) {
    process.stderr.write(
      `${counted(written.left, 'edit')} of recording rules that no alert reads: left to you\n`,
    );
  }
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new UserError({ message: `--run ${text}`, expected: 'a regular expression' });
  }
}
