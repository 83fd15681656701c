/** Facts of an SLO that a page derives itself: the SLO's own events, and the burn rates at which it pages. */
import { messageOf } from '../base/errors.js';
import { formatDurationMs } from '../base/duration.js';
import type { PrometheusClient } from '../slo/budget/prometheus.js';
import { planOf, readSlos, type Slo, sloNames } from '../slo/index.js';
import { isOfMesh, meshMetrics } from '../slo/spec/mesh-metrics.js';
import { ownQueries } from '../slo/rules/own-queries.js';
import { stepRules } from '../slo/rules/steps.js';
import type { RunbookFacts } from './facts.js';
import { type Page, pageFor } from './pages.js';
import type { OwnPage } from './publish.js';

type SloFacts = Pick<RunbookFacts, 'ownBad' | 'ownPresent' | 'burns' | 'mesh'>;

/** From the files that the SLO's rules were generated from. */
export function factsOfSlo(slo: Slo): SloFacts {
  const plan = planOf(slo);
  const rule = stepRules(plan).find((r) => r.record === sloNames.counterSeen);
  const burns = (['page', 'ticket'] as const).flatMap((severity) => {
    const windows = plan.windows.filter((w) => w.severity === severity);
    if (slo.alerting[severity] === false || windows.length === 0) return [];
    const texts = windows.map(
      (w) => `${w.factor}x over ${formatDurationMs(w.longMs)} and ${formatDurationMs(w.shortMs)}`,
    );
    return [`${severity}s at ${texts.join(', or ')}`];
  });
  return { ...(rule ? factsOfCounters(rule.expr) : {}), burns: burns.join('; ') };
}

function factsOfCounters(expr: string): SloFacts {
  const { bad, present } = ownQueries(expr);
  const mesh = present.some(isOfMesh);
  return { ownBad: bad, ownPresent: present, mesh };
}

/** SLOs of the files by their ids. Throws a UserError with every mistake in them. */
export const slosById = (paths: readonly string[]): Map<string, Slo> =>
  new Map(readSlos(paths, { windows: 'any' }).map((slo) => [slo.id, slo]));

/** A page for each alert of the files' SLOs. Throws a UserError with every mistake in them. */
export function pagesOfSlos(paths: readonly string[], pages: ReadonlyMap<string, Page>): OwnPage[] {
  return readSlos(paths, { windows: 'any' }).flatMap((slo) => {
    const { alerting, service, owner } = slo;
    const burn = alerting.page !== false || alerting.ticket !== false ? [alerting.name] : [];
    const names = [
      ...burn,
      ...(alerting.noData === false ? [] : [`${alerting.name}NoData`]),
      ...(alerting.budgetSpent ? [`${alerting.name}BudgetSpent`] : []),
    ];
    const facts = {
      ...factsOfSlo(slo),
      slo: slo.id,
      service,
      ...(owner === undefined ? {} : { owner }),
      slos: paths.join(' '),
    };
    return names.flatMap((name) => {
      const of = pageFor(pages, name, true);
      return of ? [{ name, of, facts: { ...facts, alert: name } }] : [];
    });
  });
}

/**
 * From the rules of a Prometheus, and whether it has the mesh's metrics of the service. Facts that it does not have are
 * left out, because the page is still useful without them.
 */
export async function factsFromPrometheus(
  prometheus: PrometheusClient,
  facts: { slo: string | undefined; service: string | undefined },
  atMs: number,
): Promise<SloFacts> {
  const own = facts.slo === undefined ? {} : await countersOf(prometheus, facts.slo);
  const dst = facts.service === undefined ? '.+' : facts.service.replaceAll(/[^\w-]/g, '.');
  const found = await prometheus.query(
    `count(${meshMetrics.responses}{dst=~"${dst}([.].+)?"})`,
    atMs,
  );
  return { ...own, mesh: found.length > 0 };
}

async function countersOf(prometheus: PrometheusClient, slo: string): Promise<SloFacts> {
  for (const rule of await prometheus.rules()) {
    if (rule.name !== sloNames.counterSeen || rule.labels?.[sloNames.sloLabel] !== slo) continue;
    try {
      return factsOfCounters(rule.query);
    } catch (error) {
      process.stderr.write(`the rule ${rule.name} of ${slo} is not read: ${messageOf(error)}\n`);
    }
  }
  return {};
}
