/** The library as rule groups: the entries of all failure modes with names, labels, links and scaled times. */
import { parseDurationMs } from '../../base/duration.js';
import type { AlertingRule, RuleGroup } from '../../slo/rules/model.js';
import * as labels from '../../slo/rules/names.js';
import { scaleText } from '../../slo/rules/plan.js';
import { meshJobs } from '../../slo/spec/mesh-metrics.js';
import { certificateAlerts } from './certificates.js';
import { controlPlaneAlerts } from './control-plane.js';
import { type LibraryEntry, type Times, timesOf } from './entry.js';
import { memoryAlerts } from './memory.js';
import { misroutingAlerts } from './misrouting.js';
import { alertNames, defaultDashboardBase, defaultRunbookBase } from './names.js';
import { networkAlerts } from './network.js';
import { retryAlerts } from './retries.js';
import { serviceLevelAlerts } from './service-levels.js';
import { trafficAlerts } from './traffic.js';
import { telemetryAlerts } from './telemetry.js';

export interface LibraryOptions {
  /** Factor for every range, interval, `for` and `keep_firing_for`; at 1/120 an hour becomes 30 s. */
  timeScale?: number;
  /** If given, every range is at least four times this long. */
  scrapeIntervalMs?: number;
  /** Base of the runbook links: a slash and the alert's name follow. */
  runbookBase?: string;
  /** Base of the dashboard links: the dashboard's id follows. */
  dashboardBase?: string;
  /** The mesh's owner, for the label `owner`. */
  owner?: string;
  /** Values of the label `job` for the parts of the mesh. */
  jobs?: { controller: string; proxy: string };
}

/** The groups in the order of the failure modes. */
export const libraryEntries: readonly (readonly [string, readonly LibraryEntry[]])[] = [
  ['mesh-control-plane', controlPlaneAlerts],
  ['mesh-proxies', memoryAlerts],
  ['mesh-certificates', certificateAlerts],
  ['mesh-retries', retryAlerts],
  ['mesh-telemetry', telemetryAlerts],
  ['mesh-routing', misroutingAlerts],
  ['mesh-network', networkAlerts],
  ['mesh-service-levels', serviceLevelAlerts],
  ['mesh-traffic', trafficAlerts],
];

const intervalMs = 30_000;
/** Alerts that look back a week read from disk, so an evaluation every five minutes is enough. */
const longIntervalMs = 300_000;
const defaultOwner = 'platform';
/** Value of the label `service` on alerts about the mesh itself. */
const meshService = 'mesh';

/** All alerts of the library; pure: equal options give equal groups. */
export function libraryGroups(options: LibraryOptions = {}): RuleGroup[] {
  const scale = options.timeScale ?? 1;
  const times = timesOf(scale, options.scrapeIntervalMs ?? 0, options.jobs ?? meshJobs);
  return libraryEntries.map(([name, entries]) => ({
    name,
    intervalMs: scaledMs(entries === trafficAlerts ? longIntervalMs : intervalMs, scale),
    rules: entries.map((entry) => ruleOf(entry, times, scale, options)),
  }));
}

const scaledMs = (nominalMs: number, scale: number): number =>
  nominalMs === 0 ? 0 : Math.max(1, Math.round(nominalMs * scale));

function ruleOf(
  entry: LibraryEntry,
  times: Times,
  scale: number,
  options: LibraryOptions,
): AlertingRule {
  const nominal = (text: string | undefined): number =>
    scaledMs(parseDurationMs(text ?? '0s') as number, scale);
  const without = (base: string): string => base.replace(/\/+$/, '');
  return {
    kind: 'alert',
    alert: entry.name,
    expr: entry.expr(times),
    forMs: nominal(entry.for),
    keepFiringForMs: nominal(entry.keepFiringFor),
    labels: {
      [labels.severityLabel]: alertNames[entry.name].severity,
      [labels.ownerLabel]: options.owner ?? defaultOwner,
      [labels.serviceLabel]:
        // `checkout.retail` becomes the service `checkout`, the name that SLOs use.
        entry.about === 'dst' ? '{{ reReplaceAll "[.].*" "" $labels.dst }}' : meshService,
      ...(scale === 1 ? {} : { [labels.timeScaleLabel]: scaleText(scale) }),
    },
    annotations: {
      summary: entry.summary,
      description: entry.description,
      runbook_url: `${without(options.runbookBase ?? defaultRunbookBase)}/${entry.name}`,
      dashboard_url: `${without(options.dashboardBase ?? defaultDashboardBase)}/${entry.dashboard}`,
    },
  };
}
