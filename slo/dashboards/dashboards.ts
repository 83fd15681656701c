/** The dashboards: executive, on-call, fleet, one for each SLO, and with a mesh one for its proxies. */
import { defaultStepMs } from '../rules/plan.js';
import { meshMetrics } from '../spec/mesh-metrics.js';
import type { Slo } from '../spec/model.js';
import { debugDashboard } from './debug.js';
import { executiveDashboard } from './executive.js';
import { fleetDashboard } from './fleet.js';
import type { Dashboard } from './model.js';
import { onCallDashboard } from './on-call.js';
import { Events } from './panels.js';
import { sloDashboard } from './slo.js';

/** Without a mesh nothing asks for what its proxies and its controller count. */
export function commonDashboards(mesh = true, stepMs = defaultStepMs): Dashboard[] {
  const events = new Events(stepMs);
  return [
    executiveDashboard(mesh, events),
    onCallDashboard(mesh, events),
    ...(mesh ? [debugDashboard()] : []),
    fleetDashboard(),
  ];
}

/** `mesh` absent: there is one where an SLO counts what its proxies do. */
export const allDashboards = (
  slos: readonly Slo[],
  stepMs: number,
  mesh = slos.some(countsInMesh),
): Dashboard[] => [
  ...commonDashboards(mesh, stepMs),
  ...slos.map((slo) => sloDashboard(slo, stepMs)),
];

const meshSeries = new RegExp(
  `\\b(${[meshMetrics.responses, meshMetrics.requests, `${meshMetrics.latencyMs}_bucket`].join('|')})\\b`,
);

const countsInMesh = ({ sli }: Slo): boolean => meshSeries.test(JSON.stringify(sli));
