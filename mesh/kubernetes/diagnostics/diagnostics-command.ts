/** `firedrill diagnostics`: from a symptom to its cause, in a cluster, in files, or among plain processes. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import type { AnyObject } from '../client/objects.js';
import { formatOption } from '../../../base/format-option.js';
import { suggest } from '../../../base/suggest.js';
import { eachOf } from '../../../base/choice-option.js';

interface Options {
  input?: string[];
  other?: string;
  proxies?: string;
  meshFile?: string;
  cluster?: boolean;
  format: string;
  list?: boolean;
  kubeconfig?: string;
  context?: string;
}

export function registerDiagnostics(program: Command): void {
  program
    .command('diagnostics')
    .description('Diagnose 25 common problems, each with its cause and fix')
    .argument('[id...]', 'only these entries (see --list)')
    .option('--list', 'list the entries and their symptoms')
    .option(
      '-i, --input <path>',
      'manifests, rules, Prometheus or Alertmanager configuration, SLOs; may be repeated',
      eachOf,
    )
    .option('--cluster', "also the cluster's objects and proxies")
    .option('--other <context>', 'another context of the kubeconfig, to compare with')
    .option('--proxies <addresses>', 'admin addresses of proxies, with commas between')
    .option('--mesh-file <file>', 'YAML or JSON with proxies: [{ admin: address or port }]')
    .addOption(formatOption('text', 'json'))
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addHelpText(
      'after',
      `
Examples:
  firedrill diagnostics --cluster
  firedrill diagnostics aggressive-retries --proxies 127.0.0.1:4191
  firedrill diagnostics -i rules.yaml -i alertmanager.yaml

Exit code 1 where anything was found, 3 where nothing was, and you may not look at all that entries ask for.`,
    )
    .action(run);
}

async function run(ids: string[], options: Options): Promise<void> {
  const { blindEntries, diagnose, entries } = await import('./entries.js');
  const { formatTable } = await import('../../../base/terminal.js');
  for (const id of ids) {
    if (entries.some((e) => e.id === id)) continue;
    const known = entries.map((e) => e.id);
    const meant = suggest(id, known);
    if (meant !== undefined) throw new UserError(`no entry '${id}': did you mean ${meant}?`);
    const expected = 'one of firedrill diagnostics --list';
    throw new UserError({ message: `no entry '${id}'`, expected });
  }
  if (options.list) {
    const listed = entries.filter((e) => ids.length === 0 || ids.includes(e.id));
    const rows = listed.map(({ id, symptom }) => ({ id, symptom }));
    const table = formatTable(
      ['ID', 'SYMPTOM'],
      rows.map((r) => [r.id, r.symptom]),
    );
    process.stdout.write(`${options.format === 'json' ? JSON.stringify(rows, null, 2) : table}\n`);
    return;
  }
  const { findTargets, observe } = await import('../observe/targets.js');
  const { clusterObjects, fileObjects } = await import('./gather.js');
  const objects: AnyObject[] = (options.input ?? []).flatMap(fileObjects);
  const inCluster = options.cluster || options.other !== undefined;
  const here = inCluster ? await clusterObjects(options) : undefined;
  objects.push(...(here?.objects ?? []));
  const there = options.other
    ? await clusterObjects({ ...options, context: options.other })
    : undefined;
  const unseen = [...(here?.unseen ?? []), ...(there?.unseen ?? [])];
  const watched = options.proxies ?? options.meshFile ?? options.cluster;
  if (objects.length === 0 && !watched) {
    throw new UserError({
      message: 'nothing to look at',
      expected: '--cluster, -i or --proxies',
    });
  }
  const isReadable = watched && !here?.unseen.includes('Pod');
  const targets = isReadable ? await findTargets(options) : [];
  const { proxies, silent } = await observe(targets, targets.length > 0 ? 1000 : 0);
  // Entries that need no proxy are still judged.
  for (const one of silent) process.stderr.write(`no answer from ${one}\n`);
  const { realClock } = await import('../../../base/clock.js');
  const other = there && { other: there.objects };
  const hasNone = watched !== undefined && targets.length === 0;
  if (hasNone) process.stderr.write('? no proxy was found to look at\n');
  const facts = { objects, proxies, nowMs: realClock.nowMs(), ...other };
  const found = diagnose(facts, ids);
  const blind = blindEntries(facts, unseen, ids);
  for (const [id, kinds] of blind)
    process.stderr.write(`? ${id}: you may not list ${kinds.join(', ')}\n`);
  if (options.format === 'json') process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (found.length === 0) process.stdout.write('nothing found\n');
  else {
    for (const f of found)
      process.stdout.write(`× ${f.id}: ${f.where}\n    ${f.cause}\n    fix: ${f.fix}\n`);
  }
  if (found.length > 0) process.exitCode = exitCode.failed;
  else if (hasNone || blind.size + silent.length > 0) process.exitCode = exitCode.inconclusive;
}
