/** The names for scenarios in a `system: attach`, known from its file alone. */
import { pairName } from '../../faults/points.js';
import type { SystemNames } from '../../scenarios/world.js';
import type { AttachSpec } from './attach-schema.js';
import { toxicFaults } from './toxiproxy.js';

/** `front/redis` is the call from front to redis; a call of one word leads to the service of that name. */
export function endsOf(call: string): { from: string; to: string } {
  const [from = call, to] = call.split('/');
  return to === undefined ? { from: '', to: from } : { from, to };
}

export function attachedNames(name: string, spec: AttachSpec): SystemNames {
  const services = Object.keys(spec.services);
  const calls = Object.keys(spec.calls).flatMap((call) => [call, endsOf(call).to]);
  const toxic = Object.entries(spec.calls).flatMap(([call, { toxiproxy }]) =>
    toxiproxy === undefined ? [] : [call],
  );
  const proxied = services.filter((s) => spec.services[s]?.proxy !== undefined);
  return {
    name,
    services: services.map((service) => ({ name: service, workloads: [service], counters: [] })),
    processes: [],
    parts: [],
    kindsOf: Object.fromEntries(toxic.map((call) => [call, toxicFaults])),
    targets: {
      service: proxied,
      call: [...new Set(calls)],
      relay: [
        ...new Set(
          Object.entries(spec.calls)
            .filter(([, { relay }]) => relay !== undefined)
            .flatMap(([call]) => [call, endsOf(call).to]),
        ),
      ],
      pair: Object.keys(spec.calls)
        .map(endsOf)
        .map(({ from, to }) => pairName(from, to)),
      command: Object.keys(spec.faults),
    },
  };
}
