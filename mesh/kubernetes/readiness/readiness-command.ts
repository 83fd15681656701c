/** `firedrill readiness`: the checklists, with all items judged that a program can judge. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import type { CheckResult } from '../check/model.js';
import type { Diagnosis } from '../diagnostics/entries.js';
import type { AnyObject } from '../client/objects.js';
import { alertRules, type Facts, meshedPods, sum } from '../diagnostics/entry.js';
import type { Evidence, Item } from './checklists.js';
import { formatOption } from '../../../base/format-option.js';
import { eachOf } from '../../../base/choice-option.js';

export type Verdict = 'yes' | 'no' | 'ask';

export interface Judged {
  text: string;
  verdict: Verdict;
  reasons: string[];
}

/** All that items are judged by. */
export interface Grounds {
  results: readonly CheckResult[];
  found: readonly Diagnosis[];
  given: ReadonlySet<Evidence>;
  /** The entries that could not see all that they ask for, with these kinds of objects. */
  blind: ReadonlyMap<string, readonly string[]>;
  /** The proxies that did not answer. */
  silent: readonly string[];
}

/** An item holds if its checks succeeded, and its entries saw all that they ask for and found nothing. */
export function judge(items: readonly Item[], grounds: Grounds): Judged[] {
  return items.map((item) => {
    const { text, checks = [], entries = [] } = item;
    if (checks.length + entries.length === 0) return { text, verdict: 'ask', reasons: [] };
    const own = grounds.results.filter((r) => checks.includes(r.id));
    const failed = own.filter((r) => r.result === 'error' || r.result === 'warning');
    const reasons = [
      ...failed.map((r) => `${r.id}: ${r.reason}`),
      ...grounds.found
        .filter((f) => entries.includes(f.id))
        .map((f) => `${f.id}: ${f.where}: ${f.cause}`),
    ];
    if (reasons.length > 0) return { text, verdict: 'no', reasons };
    const unknown = whyUnknown(item, grounds);
    return { text, verdict: unknown.length > 0 ? 'ask' : 'yes', reasons: unknown };
  });
}

/** The reasons why nothing bad was found of an item, and it may still not hold. */
function whyUnknown({ checks = [], entries = [], needs = [] }: Item, grounds: Grounds): string[] {
  const { results, given, blind, silent } = grounds;
  const [missing] = needs.filter((e) => !given.has(e));
  if (missing !== undefined)
    return [
      `not judged: no ${missing} to look at${fromFiles.has(missing) ? ' (give them with -i)' : ''}`,
    ];
  const unchecked = checks.filter((id) => results.find((r) => r.id === id)?.result !== 'success');
  return [
    ...(unchecked.length > 0 ? [`not checked: ${unchecked.join(', ')}`] : []),
    ...entries.flatMap((id) => {
      const kinds = blind.get(id);
      return kinds ? [`not judged: you may not list ${kinds.join(', ')}`] : [];
    }),
    ...(needs.includes('proxies') ? silent.map((one) => `no answer from ${one}`) : []),
  ];
}

const fromFiles: ReadonlySet<Evidence> = new Set(['SLOs', 'alert rules', 'scrape configurations']);

/** The number of requests from which entries judge a proxy. */
const judgedFrom = 20;

/** The available inputs: an entry without inputs finds nothing, which proves nothing. */
export function evidence(facts: Pick<Facts, 'objects' | 'proxies'>): Set<Evidence> {
  const { objects, proxies } = facts;
  const routes = proxies
    .flatMap((p) => p.config.state?.destinations ?? [])
    .flatMap((d) => d.routes);
  const has: Record<Evidence, boolean> = {
    proxies: proxies.length > 0,
    requests: proxies.some(
      (p) => sum(p.after, 'request_total', (l) => l.direction === 'outbound') >= judgedFrom,
    ),
    routes: routes.length > 0,
    retries: routes.some((r) => r.retry !== undefined),
    tracing: proxies.some((p) => p.config.tracing !== undefined),
    pods: objects.some((o) => isPodLike(o)),
    AuthorizationPolicies: objects.some((o) => o.kind === 'AuthorizationPolicy'),
    'alert rules': alertRules({ objects, proxies, nowMs: 0 }).length > 0,
    'scrape configurations': objects.some(
      (o) => o.kind === 'PodMonitor' || Array.isArray(o.scrape_configs),
    ),
    SLOs: objects.some((o) => Array.isArray(o.slos)),
  };
  return new Set((Object.keys(has) as Evidence[]).filter((e) => has[e]));
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
    .option('--context <name>', 'context of the kubeconfig')
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
  const { blindEntries, diagnose } = await import('../diagnostics/entries.js');
  const { clusterObjects, fileObjects } = await import('../diagnostics/gather.js');
  const { findTargets, observe } = await import('../observe/targets.js');
  const api = new KubeApi(await findCredentials(options));
  const wanted = new Set(items.flatMap((i) => i.checks ?? []));
  const all = [...apiChecks, ...installedChecks, ...identityChecks, ...proxyChecks];
  const checks = all.filter((c) => wanted.has(c.id) || c.fatal);
  const results = await runChecks(checks, { api, clock: realClock, namespace: options.namespace });
  api.close();
  const { kubeconfig, context } = options;
  const { objects: there, unseen } = await clusterObjects(options);
  const objects = [...(options.input ?? []).flatMap(fileObjects), ...there];
  const targets = unseen.includes('Pod') ? [] : await findTargets({ kubeconfig, context });
  const { proxies, silent } = await observe(targets, 0);
  const facts = { objects, proxies, nowMs: realClock.nowMs() };
  const judged = judge(items, {
    results,
    found: diagnose(facts),
    given: evidence(facts),
    blind: blindEntries(facts, unseen),
    silent,
  });
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
