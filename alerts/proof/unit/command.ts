/** `firedrill alerts test`: a replacement for `promtool test rules`. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import { eachOf, eachWhole } from '../../../base/choice-option.js';
import { formatOption } from '../../../base/format-option.js';

interface Flags {
  run?: string[];
  junit?: string;
  coverage?: boolean;
  coverageMin?: string;
  format: string;
  lenient?: boolean;
  ignoreUnknownFields?: boolean;
  enableFeature?: string[];
  prometheusVersion: string;
}

export function registerTest(alerts: Command): void {
  alerts
    .command('test')
    .description('Run unit tests of rules, with the files and exit codes of promtool test rules')
    .argument('<file...>', 'test files')
    .option('--run <regex>', 'only groups of tests whose name matches; may be repeated', eachWhole)
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--coverage', 'list the rules that the tests cover')
    .option('--coverage-min <percent>', 'fail if a smaller share of the rules is covered')
    .addOption(formatOption('text', 'json'))
    .option('--lenient', 'like promtool, accept tests that cannot fail: no such alert, no series')
    .option('--prometheus-version <major>', '2: ranges include both ends, as before version 3', '3')
    .option('--ignore-unknown-fields', 'accept unknown fields, as promtool does')
    .option(
      '--enable-feature <name>',
      'as in promtool, such as promql-experimental-functions; may be repeated',
      eachOf,
    )
    .option('--diff', 'accepted, as in promtool: differences are always shown')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill alerts test tests/*.yaml' +
        '\n  firedrill alerts test tests/shop.yaml --run checkout --junit junit.xml' +
        '\n  firedrill alerts test tests/*.yaml --coverage --coverage-min 80' +
        '\n\nExit codes: 0 all passed, 1 something failed or a file cannot be read.',
    )
    .action(test);
}

async function test(files: string[], flags: Flags): Promise<void> {
  const { realClock } = await import('../../../base/clock.js');
  const { coveragePercent, coverageText, fileText, junitOf, runSuite } = await import('./suite.js');
  const { junitXml } = await import('../../../base/junit.js');
  const { writeFileWhole } = await import('../../../base/write-file.js');
  if (!/^[23]$/.test(flags.prometheusVersion)) {
    const message = `--prometheus-version ${flags.prometheusVersion}`;
    throw new UserError({ message, expected: '2 or 3' });
  }
  const least = flags.coverageMin === undefined ? undefined : Number(flags.coverageMin);
  if (least !== undefined && !(least >= 0 && least <= 100)) {
    throw new UserError({ message: `--coverage-min ${flags.coverageMin}`, expected: '0 to 100' });
  }
  const { files: results, coverage } = runSuite(files, {
    run: flags.run === undefined ? undefined : pattern(flags.run),
    strict: flags.lenient !== true,
    closedRanges: flags.prometheusVersion === '2',
    ignoreUnknownFields: flags.ignoreUnknownFields === true,
    features: flags.enableFeature ?? [],
    clock: realClock,
  });
  if (flags.junit !== undefined) writeFileWhole(flags.junit, junitXml(junitOf(results)));
  const shown = flags.coverage === true || least !== undefined;
  if (flags.format === 'json') {
    const rules = coverage.map(({ rule, name, group, covered, how }) => ({
      ...rule.place,
      name,
      group,
      covered,
      how,
    }));
    const answer = { files: results, ...(shown ? { coverage: rules } : {}) };
    process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  } else {
    for (const result of results) process.stdout.write(`${fileText(result)}\n`);
    if (shown) process.stdout.write(coverageText(coverage));
  }
  const low = least !== undefined && coveragePercent(coverage) < least;
  if (results.some((r) => !r.passed) || low) process.exitCode = exitCode.failed;
}

function pattern(texts: readonly string[]): RegExp {
  try {
    return new RegExp(texts.join('|'));
  } catch {
    throw new UserError({ message: `--run ${texts.join(' ')}`, expected: 'a regular expression' });
  }
}
