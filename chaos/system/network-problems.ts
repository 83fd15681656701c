/** Problems of services with their own network that the fields of a firedrill.yaml do not show. */
import { isIPv4 } from 'node:net';
import type { At, Path } from '../../base/yaml.js';
import type { ProcessesSpec, ServiceSpec } from './drill-schema.js';
import { addressMeant } from './processes/layout.js';
import { calledAt, literalOf, loopback, mostNetworks, whyNoNetwork } from './processes/network.js';

/** `path`: the service's path in the file. */
export function networkProblems(
  spec: ProcessesSpec,
  name: string,
  service: ServiceSpec,
  path: Path,
  at: At,
): void {
  const calls = Object.entries(service.calls);
  if (service.network !== 'own') {
    for (const [call, target] of calls) {
      if (target.at === undefined) continue;
      const place = [...path, 'calls', call, 'at'];
      at(place, `${name} has no network of its own, so nothing is redirected`, 'network: own');
    }
    return;
  }
  const whyNot = whyNoNetwork();
  if (whyNot !== undefined) {
    const instead = 'network: shared, with addresses by ${calls.NAME.url}';
    at([...path, 'network'], `no network of its own here: ${whyNot}`, instead);
  }
  const seen = new Map<string, string>();
  for (const [call, target] of calls) {
    const meant = addressMeant(spec, target);
    if (meant === undefined) continue;
    const { host, port } = calledAt(meant);
    const place = [...path, 'calls', call, ...(target.at === undefined ? [] : ['at'])];
    if (!isHost(host)) {
      at(place, `'${host}' is no name and no IPv4 address`, 'such as db.internal:5432');
      continue;
    }
    const address = `${literalOf(host) ?? host.toLowerCase()}:${port}`;
    const other = seen.get(address);
    if (other !== undefined) at(place, `${other} is found at ${meant} already`, 'another address');
    seen.set(address, call);
    const own = Object.entries(service.ports).find(([, own]) => own === port);
    if (own && address.startsWith(`${loopback}:`)) {
      at(place, `${meant} is ${name}'s own port ${own[0]}`, 'another address');
    }
  }
}

const isHost = (host: string): boolean =>
  isIPv4(host) || (/^[\w.-]+$/.test(host) && !/(^|\.)\d+$/.test(host));

/** Problems of all services together. */
export function networksProblem(spec: ProcessesSpec, at: At): void {
  const own = Object.values(spec.services).filter(({ network }) => network === 'own');
  const count = own.reduce((sum, { replicas }) => sum + replicas, 0);
  if (count <= mostNetworks) return;
  at(['system', 'services'], `${count} networks of their own`, `at most ${mostNetworks}`);
}
