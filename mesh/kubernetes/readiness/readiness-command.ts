/** `firedrill readiness`: the checklists, with all items judged that a program can judge. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import type { CheckResult } from '../check/model.js';
import type { Diagnosis } from '../diagnostics/entries.js';
import type { AnyObject } from '../client/objects.js';
import { alertRules, type Facts, meshedPods } from '../diagnostics/entry.js';
import type { Evidence, Item } from './checklists.js';
import { formatOption } from '../../../base/format-option.js';
import { eachOf } from '../../../base/choice-option.js';

export type Verdict = 'yes' | 'no' | 'ask';

export interface Judged {
  text: string;
  verdict: Verdict;
  reasons: string[];
}

/** An item holds if its checks succeeded and its entries found nothing; a skipped check leaves a question. */
export function judge(
  items: readonly Item[],
  results: readonly CheckResult[],
  found: readonly Diagnosis[],
  given: ReadonlySet<Evidence>,
): Judged[] {
  return items.map(({ text, checks = [], entries = [], needs }) => {
    if (checks.length + entries.length === 0) return { text, verdict: 'ask', reasons: [] };
    const own = results.filter((r) => checks.includes(r.id));
    const failed = own.filter((r) => r.result === 'error' || r.result === 'warning');
    const reasons = [
      ...failed.map((r) => `${r.id}: ${r.reason}`),
      ...found.filter((f) => entries.includes(f.id)).map((f) => `${f.id}: ${f.where}: ${f.cause}`),
    ];
    if (reasons.length > 0) return { text, verdict: 'no', reasons };
    if (needs !== undefined && !given.has(needs)) {
      return {
        text,
        verdict: 'ask',
        reasons: [`not judged: no ${needs} to look at${hint(needs)}`],
      };
    }
    const unknown = checks.filter((id) => own.find((r) => r.id === id)?.result !== 'success');
    if (unknown.length > 0)
      return { text, verdict: 'ask', reasons: [`not checked: ${unknown.join(', ')}`] };
    return { text, verdict: 'yes', reasons };
  });
}

const hint = (needs: Evidence): string =>
  needs === 'pods' || needs === 'proxies' ? '' : ' (give them with -i)';

/** The available inputs: an entry without inputs finds nothing, which proves nothing. */
export function evidence(facts: Pick<Facts, 'objects' | 'proxies'>): Set<Evidence> {
  const given = new Set<Evidence>();
  const { objects, proxies } = facts;
  if (proxies.length > 0) given.add('proxies');
  if (objects.some((o) => isPodLike(o))) given.add('pods');
  if (alertRules({ objects, proxies, nowMs: 0 }).length > 0) given.add('alert rules');
  if (objects.some((o) => Array.isArray(o.slos))) given.add('SLOs');
  return given;
}

const isPodLike = (object: AnyObject): boolean =>
  object.kind === 'Pod' && meshedPods({ objects: [object], proxies: [], nowMs: 0 }).length > 0;

interface Options {
  input?: string[];
  format: string;
  namespace: string;
  kubeconfig?: string;
  context?: string;
}

export function registerReadiness(program: Command): void {
  program
    .command('readiness')
    .description(
      'Run a checklist (pre-production, production, incident), automatically where possible',
    )
    .argument('<checklist>', 'pre-production, production or incident')
    .option(
      '-i, --input <path>',
      'also rules, Alertmanager and Prometheus configuration, SLOs; may be repeated',
      eachOf,
    )
    .option('-n, --namespace <name>', "the control plane's", 'firedrill')
    .addOption(formatOption('text', 'json'))
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'of the kubeconfig')
    .addHelpText(
      'after',
      `
Examples:
  firedrill readiness pre-production -i slo.yaml -i rules.yaml
  firedrill readiness incident --format json

Marks: √ holds, × does not (exit code 1), ? is for people.`,
    )
    .action(run);
}

async function run(name: string, options: Options): Promise<void> {
  const { checklists } = await import('./checklists.js');
  const items = checklists[name];
  if (!items)
    throw new UserError({
      message: `no checklist '${name}'`,
      expected: Object.keys(checklists).join(', '),
    });
  const { realClock } = await import('../../../base/clock.js');
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const { apiChecks, installedChecks } = await import('../check/cluster-checks.js');
  const { identityChecks } = await import('../check/identity-checks.js');
  const { proxyChecks } = await import('../check/proxy-checks.js');
  const { runChecks } = await import('../check/run.js');
  const { diagnose } = await import('../diagnostics/entries.js');
  const { clusterObjects, fileObjects } = await import('../diagnostics/gather.js');
  const { findTargets, observe } = await import('../observe/targets.js');
  const api = new KubeApi(await findCredentials(options));
  const wanted = new Set(items.flatMap((i) => i.checks ?? []));
  const all = [...apiChecks, ...installedChecks, ...identityChecks, ...proxyChecks];
  const checks = all.filter((c) => wanted.has(c.id) || c.fatal);
  const results = await runChecks(checks, { api, clock: realClock, namespace: options.namespace });
  api.close();
  const objects = [
    ...(options.input ?? []).flatMap(fileObjects),
    ...(await clusterObjects(options)),
  ];
  const targets = await findTargets({ kubeconfig: options.kubeconfig, context: options.context });
  const { proxies } = await observe(targets, 0);
  const facts = { objects, proxies, nowMs: realClock.nowMs() };
  const judged = judge(items, results, diagnose(facts), evidence(facts));
  const marks: Record<Verdict, string> = { yes: '√', no: '×', ask: '?' };
  if (options.format === 'json') process.stdout.write(`${JSON.stringify(judged, undefined, 2)}\n`);
  else {
    for (const { text, verdict, reasons } of judged) {
      const lines = [`${marks[verdict]} ${text}`, ...reasons.map((r) => `    ${r}`)];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
  }
  if (judged.some((j) => j.verdict === 'no')) process.exitCode = exitCode.failed;
}
