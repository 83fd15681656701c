/** The library and the common dashboards, as an installation in a cluster deploys them. */
import { parse } from 'yaml';
import type { MonitoringParts } from '../../mesh/kubernetes/install/monitoring.js';
import { commonDashboards } from '../../slo/dashboards/dashboards.js';
import { grafanaJson } from '../../slo/dashboards/grafana.js';
import { groupsText } from '../../slo/rules/write.js';
import { libraryGroups } from './library.js';

/** Fits scrape intervals up to 30 s, because no range of a rule is shorter than four scrapes. */
const scrapeIntervalMs = 30_000;

export function monitoringParts(): MonitoringParts {
  const text = groupsText(libraryGroups({ scrapeIntervalMs }));
  return {
    rules: text,
    ruleSpec: parse(text) as Record<string, unknown>,
    dashboards: new Map(commonDashboards().map((d) => [d.uid, grafanaJson(d)])),
  };
}
