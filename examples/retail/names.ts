/** The names that a scenario may use, printed before anything of the shop runs (`--names`). */
import { limitsImpossibleHere } from '../../chaos/faults/process-fault.js';
import type { SystemNames } from '../../chaos/scenarios/world.js';
import { shopProfile } from './load.js';
import { Peers } from './peers.js';
import { proxyName } from './shop.js';
import { services } from './services.js';
import { calls, namespace, workloads } from './topology.js';

const common = ['received', 'answered', 'failed'];

/** The counters that each handler creates at its start. */
function countersOf(service: string): string[] {
  const counters: Record<string, number> = {};
  services[service]?.handler({ counters, peers: new Peers(namespace, { direct: {} }) });
  return [...common, ...Object.keys(counters)];
}

export const shopNames = (): SystemNames => ({
  name: 'retail',
  services: Object.keys(calls).map((name) => ({
    name,
    workloads: workloads.filter((w) => w.service === name).map((w) => w.name),
    counters: countersOf(name),
  })),
  processes: ['controller', ...workloads.flatMap((w) => [w.name, proxyName(w.name)])],
  parts: ['controller', 'registry'],
  impossible: Object.fromEntries(limitsImpossibleHere()),
  strikable: {
    workloads: workloads.map(({ name, service }) => ({
      name,
      service,
      proxy: proxyName(name),
      edges: (calls[service] ?? []).map((to) => ({ name: `${service}/${to}`, to })),
    })),
    relays: [],
  },
  targets: {
    call: Object.entries(calls).flatMap(([from, all]) =>
      all.flatMap((to) => [`${from}/${to}`, to]),
    ),
  },
  routes: shopProfile('').routes.map((route) => route.name),
});
