/** Turns the addresses on the command line into the views' data sources. */
import { type AccessFlags, fetchWith, readAccess } from '../base/access.js';
import { UserError } from '../base/errors.js';
import { AlertmanagerApi } from '../alerts/routing/alertmanager-api.js';
import { PrometheusClient } from '../slo/budget/prometheus.js';
import { facilitatorReaders } from './facilitator.js';
import { Launch } from './launch.js';
import { meshReaders, targetsOf, tapInto } from './mesh.js';
import { onCallReaders } from './on-call.js';
import type { Drills } from './posts.js';
import type { ConsoleOptions } from './server.js';

export interface Sources extends AccessFlags {
  report: string;
  before?: string;
  drill?: string;
  state: string;
  prometheus?: string;
  alertmanager?: string;
  proxies?: string;
  controller?: string;
  cluster?: boolean;
  kubeconfig?: string;
  context?: string;
}

const timeoutMs = 10_000;

/** Throws a UserError on an invalid address. No source is contacted yet: one that is down may come back later. */
export function sourcesOf(sources: Sources): Pick<ConsoleOptions, 'readers' | 'tap'> {
  const { report: folder, before, drill, state: stateFolder, proxies, controller } = sources;
  const { kubeconfig, context } = sources;
  const cluster = sources.cluster ? { kubeconfig, context } : undefined;
  if (!cluster && (kubeconfig ?? context) !== undefined) {
    throw new UserError({ message: '--kubeconfig or --context alone', expected: 'also --cluster' });
  }
  const mesh = { proxies, controller, cluster };
  const targets = targetsOf(mesh);
  if (controller !== undefined && !URL.canParse(controller)) {
    throw new UserError({
      message: `--controller ${controller}`,
      expected: 'its admin address, such as http://127.0.0.1:9990',
    });
  }
  return {
    readers: [
      ...facilitatorReaders({ folder, before, drill, stateFolder }),
      ...onCall(sources),
      ...meshReaders(mesh),
    ],
    ...(targets && {
      tap: (...asked) => tapInto(targets, ...asked),
    }),
  };
}

/** For viewers who may start, stop and answer drills; a run's lines go to standard error. */
export function drillsOf({ report: folder, drill, state: stateFolder }: Sources): Drills {
  const onLine = (line: string): void => void process.stderr.write(`${line}\n`);
  const own = { folder, stateFolder, onLine };
  return { stateFolder, launch: new Launch(drill === undefined ? own : { ...own, drill }) };
}

function onCall(sources: Sources): ReturnType<typeof onCallReaders> {
  const { prometheus, alertmanager, state: stateFolder } = sources;
  if (prometheus === undefined) {
    if (alertmanager === undefined) return [];
    throw new UserError({ message: '--alertmanager alone', expected: 'also --prometheus' });
  }
  const fetcher = fetchWith(readAccess('the Prometheus', { ...sources, url: prometheus }));
  const client = new PrometheusClient(prometheus, timeoutMs, fetcher);
  if (alertmanager === undefined)
    return onCallReaders({ prometheus: client, fetcher, stateFolder });
  const access = readAccess('the Alertmanager', { ...sources, url: alertmanager });
  const manager = new AlertmanagerApi(access.url, fetchWith(access));
  return onCallReaders({ prometheus: client, fetcher, alertmanager: manager, stateFolder });
}
