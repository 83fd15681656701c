/** The dashboards: executive, on-call, fleet, one for each SLO, and one for the proxies of a mesh. */
import { defaultStepMs } from '../rules/plan.js';
import type { WindowTable } from '../rules/windows.js';
import { isOfMesh } from '../spec/mesh-metrics.js';
import type { Slo } from '../spec/model.js';
import { debugDashboard } from './debug.js';
import { executiveDashboard } from './executive.js';
import { fleetDashboard } from './fleet.js';
import type { Dashboard } from './model.js';
import { onCallDashboard } from './on-call.js';
import { Events } from './panels.js';
import { sloDashboard } from './slo.js';

/** Without a mesh, no panel queries metrics of proxies or the controller. */
export function commonDashboards(mesh = true, stepMs = defaultStepMs): Dashboard[] {
  const events = new Events(stepMs);
  return [
    executiveDashboard(mesh, events),
    onCallDashboard(mesh, events),
    ...(mesh ? [debugDashboard()] : []),
    fleetDashboard(),
  ];
}

/** Default of `mesh`: whether any SLO uses metrics of its proxies. */
export const allDashboards = (
  slos: readonly Slo[],
  stepMs: number,
  mesh = slos.some(countsInMesh),
  windows?: WindowTable,
): Dashboard[] => [
  ...commonDashboards(mesh, stepMs),
  ...slos.map((slo) => sloDashboard(slo, { stepMs, ...(windows ? { windows } : {}) })),
];

const countsInMesh = ({ sli }: Slo): boolean => isOfMesh(JSON.stringify(sli));
