/** The five dashboards: executive, on-call, debug, fleet, and one for each SLO. */
import type { Slo } from '../spec/model.js';
import { debugDashboard } from './debug.js';
import { executiveDashboard } from './executive.js';
import { fleetDashboard } from './fleet.js';
import type { Dashboard } from './model.js';
import { onCallDashboard } from './on-call.js';
import { sloDashboard } from './slo.js';

export const commonDashboards = (): Dashboard[] => [
  executiveDashboard(),
  onCallDashboard(),
  debugDashboard(),
  fleetDashboard(),
];

export const allDashboards = (slos: readonly Slo[], stepMs: number): Dashboard[] => [
  ...commonDashboards(),
  ...slos.map((slo) => sloDashboard(slo, stepMs)),
];
