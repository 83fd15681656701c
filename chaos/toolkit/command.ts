/** `firedrill gameday toolkit check` and `run`: experiments of the Chaos Toolkit. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { formatOption } from '../../base/format-option.js';

interface RunFlags {
  state: string;
  format: string;
  journal?: string;
}

export function registerToolkit(chaos: Command): void {
  const toolkit = chaos
    .command('toolkit')
    .description('Run experiments of the Chaos Toolkit, journaled and rolled back like game days')
    .action(() => toolkit.help({ error: true }));
  toolkit
    .command('check')
    .description('Check which experiments can run, and what the others use that is not supported')
    .argument('<file...>', 'experiments, JSON or YAML')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Exit code 1 where one cannot be run. Programs and addresses are; Python functions, controls and vaults are not.

Example:
  firedrill gameday toolkit check experiments/*.json`,
    )
    .action(async (files: string[], flags: { format: string }) => {
      process.exitCode = await check(files, flags.format === 'json');
    });
  toolkit
    .command('run')
    .description(
      'Run an experiment: hypothesis, method, hypothesis, and the rollbacks in every case',
    )
    .argument('<file>', 'an experiment, JSON or YAML')
    .option('--journal <file>', 'file for the record of actions and answers, as JSON')
    .addOption(formatOption('text', 'json'))
    .option('--state <folder>', 'folder of the journal and the kill switch', '.firedrill')
    .addHelpText(
      'after',
      `
Rollbacks are written down before the method begins, and done on success, deviation, Ctrl-C, SIGTERM and the kill
switch; where this process is killed, a warden does them. Exit code 0: steady before and after; 1: not after it, or
something failed; 3: not before it; 4: the kill switch; 130: interrupted.

Example:
  firedrill gameday toolkit run experiment.json --journal journal.json`,
    )
    .action(async (file: string, flags: RunFlags) => {
      process.exitCode = await run(file, flags);
    });
}

async function check(files: readonly string[], json: boolean): Promise<number> {
  const { readabilityOf } = await import('./experiment.js');
  const { exitCode } = await import('../../base/errors.js');
  const results = files.map((file) => ({ file, ...readabilityOf(file) }));
  const refused = results.filter((r) => r.refused.length > 0);
  if (json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  else {
    for (const { file, refused: why, needs } of results) {
      const given = needs.length > 0 ? `, given ${needs.join(', ')}` : '';
      if (why.length === 0) process.stdout.write(`${file}: can be run${given}\n`);
      else process.stdout.write(`${why.map((line) => `${line}\n`).join('')}`);
    }
    process.stdout.write(`${results.length - refused.length} of ${results.length} can be run\n`);
  }
  return refused.length > 0 ? exitCode.failed : exitCode.ok;
}

async function run(file: string, flags: RunFlags): Promise<number> {
  const { exitCode, UserError } = await import('../../base/errors.js');
  const { readExperiment } = await import('./experiment.js');
  const { refuseMissing, runExperiment } = await import('./run.js');
  const { Journal } = await import('../runner/journal.js');
  const { endLeftovers } = await import('../runner/leftovers.js');
  const { recoverFirst } = await import('../runner/recover.js');
  const { startWarden } = await import('../runner/warden.js');
  const { readSwitch } = await import('../runner/stop-switch.js');
  const { tryFolder } = await import('../../base/writable-folder.js');
  const experiment = readExperiment(file);
  refuseMissing(experiment);
  const stop = readSwitch(flags.state);
  if (stop) throw new UserError(`the kill switch is thrown (${stop.reason})`, exitCode.aborted);
  tryFolder(flags.state, 'the state folder', 'a writable folder after --state');
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  await recoverFirst(flags.state, say);
  const day = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const journal = new Journal(flags.state, `${day}-${randomBytes(2).toString('hex')}`, Date.now);
  const warden = startWarden(journal.file);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  for (const remark of experiment.remarks) say(remark);
  try {
    const stopSwitch = () => readSwitch(flags.state);
    const result = await runExperiment(experiment, {
      journal,
      signal: abort.signal,
      stopSwitch,
      say,
    });
    await report(result, flags);
    if (abort.signal.aborted) return exitCode.interrupted;
    const codes = { PASS: 'ok', FAIL: 'failed', INCONCLUSIVE: 'inconclusive', ABORTED: 'aborted' };
    return exitCode[codes[result.verdict] as keyof typeof exitCode];
  } finally {
    // Ends processes that its programs left in the background.
    await endLeftovers(journal.processes, 1000);
    journal.close();
    warden.stop();
    for (const signal of signals) process.off(signal, interrupt);
  }
}

async function report(
  result: Awaited<ReturnType<typeof import('./run.js').runExperiment>>,
  flags: RunFlags,
): Promise<void> {
  const text = `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n`;
  if (flags.journal !== undefined) {
    const { writeFileWhole } = await import('../../base/write-file.js');
    writeFileWhole(flags.journal, text);
  }
  if (flags.format === 'json') process.stdout.write(text);
  else {
    const lines = [`${result.verdict}  ${result.title}`, ...result.reasons.map((r) => `  ${r}`)];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}
