/** Runs `firedrill alerts scale`. */
import { availableParallelism } from 'node:os';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, formatProblem, UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { groupsText } from '../../slo/index.js';
import { writeAll } from '../../slo/rules/write-files.js';
import { chooseScale } from './choose.js';
import type { ScaleFlags } from './commands.js';
import { proveScaling } from './proof.js';
import { readRules, type RuleRemark, scaleReadGroups, withDistinctNames } from './scale.js';

export async function scaleCommand(files: readonly string[], flags: ScaleFlags): Promise<void> {
  const scrapeMs = durationOf('--scrape-interval', flags.scrapeInterval);
  const subqueryStepMs = durationOf('--subquery-step', flags.subqueryStep);
  if (!/^\d{1,9}$/.test(flags.seed)) {
    throw new UserError({ message: `--seed ${flags.seed}`, expected: 'a whole number' });
  }
  const read = readRules(files);
  if (read.every((group) => group.rules.length === 0)) {
    throw new UserError({
      message: `no rules in ${files.map(inputName).join(', ')}`,
      expected: 'rule files',
    });
  }
  let said = flags.timeScale;
  const timeScale = scaleOf(said, () => {
    const machine = { cpus: availableParallelism(), targets: 1 };
    const { scale, why } = chooseScale(read, scrapeMs, machine);
    process.stderr.write(`time scale ${why}\n`);
    said = scale === 1 ? '1' : `1/${Math.round(1 / scale)}`;
    return scale;
  });
  const { groups, unscalable, adjusted } = scaleReadGroups(read, { timeScale, subqueryStepMs });
  const say = (list: readonly RuleRemark[], word: string): void => {
    for (const remark of list) process.stderr.write(`${formatProblem(remark)}\n`);
    if (list.length > 0) process.stderr.write(`${list.length} ${word}\n`);
  };
  say(adjusted, 'constants adjusted');
  say(unscalable, 'not scaled');
  if (flags.prove) {
    const proof = await proveScaling(read, { timeScale, seed: Number(flags.seed) });
    process.stdout.write(proof.text);
    if (!proof.equal) process.exitCode = exitCode.failed;
    return;
  }
  const head = `# At time scale ${said}: written by firedrill alerts scale.\n`;
  const text = head + groupsText(withDistinctNames(groups));
  writeAll(flags.out, true, new Map([['rules.yaml', text]]));
}

function durationOf(flag: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UserError({ message: `bad ${flag} '${text}'`, expected: 'a duration such as 15s' });
}

function scaleOf(text: string, auto: () => number): number {
  if (text === 'auto') return auto();
  const match = /^(\d+(?:\.\d+)?)(?:\/(\d+(?:\.\d+)?))?$/.exec(text.trim());
  const value = match ? Number(match[1]) / Number(match[2] ?? 1) : Number.NaN;
  if (value > 0 && value <= 1) return value;
  throw new UserError({
    message: `bad time scale '${text}'`,
    expected: 'auto, or a fraction above 0, at most 1, such as 1/240',
  });
}
