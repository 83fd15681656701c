/** Compiles a registry file to the model: names resolved, defaults filled, contradictions refused with their place. */
import { type Problem, UserError } from '../../../base/errors.js';
import { checkYaml, parseYaml, type YamlDocument } from '../../../base/yaml.js';
import { identityName } from '../../identity/names.js';
import type { Backend, Destination, Endpoint, InboundServer, Route } from '../../model.js';
import { authorizationsOf } from '../../policy/clients.js';
import { backendDefaults } from '../../schema/backend.js';
import type { SourceSnapshot, WorkloadServers } from '../discovery/source.js';
import {
  type Registry,
  type RegistryBackend,
  type RegistryDns,
  registrySchema,
  type RegistryServer,
  type RegistryService,
} from './schema.js';

/** A backend whose endpoints come from DNS; the resolver fills them in. */
export interface DnsBackend {
  destination: string;
  backend: string;
  dns: RegistryDns;
  /** The identity in its endpoints' certificates; absent: plaintext. */
  identity?: string;
}

/**
 * The services of one version of a file, by their JSON. The same service in the next version is neither checked nor
 * compiled again: one endpoint that moves among ten thousand costs a tenth of the time and of the garbage.
 */
export type KnownServices = ReadonlyMap<string, RegistryService>;

export interface CompiledRegistry {
  snapshot: SourceSnapshot;
  dns: DnsBackend[];
  known: KnownServices;
}

/**
 * Throws a UserError with every problem and its place. Only `{}` is an empty registry; an empty text is an error.
 * Destinations of `known` services are listed as unchanged.
 */
export function compileRegistry(
  file: string,
  text: string,
  trustDomain: string,
  known: KnownServices = new Map(),
): CompiledRegistry {
  const documents = parseYaml(file, text);
  if (documents.length !== 1) {
    throw new UserError({
      place: { file, line: 1, column: 1 },
      message: documents.length === 0 ? 'the registry is empty' : 'several YAML documents',
      expected: 'one document with services, servers, authorizations',
    });
  }
  const document = documents[0] as YamlDocument;
  const texts = serviceTexts(document.value);
  const registry = checkedRegistry(document, texts, known);
  const problems = referenceProblems(document, registry);
  if (problems.length > 0) throw new UserError(problems);
  const dns: DnsBackend[] = [];
  const destinations: Destination[] = [];
  const unchanged: string[] = [];
  const next = new Map<string, RegistryService>();
  registry.services.forEach((service, i) => {
    const json = texts[i] as string;
    if (known.get(json) === service) {
      unchanged.push(`${service.name}.${service.namespace}`);
      next.set(json, service);
      return;
    }
    destinations.push(destinationOf(service, registry, trustDomain, dns));
    if (standsAlone(service)) next.set(json, namesOf(service));
  });
  return {
    snapshot: {
      destinations,
      unchanged,
      servers: workloadServers(registry, trustDomain),
      unknownDestinations: registry.defaults.unknownDestinations,
    },
    dns,
    known: next,
  };
}

function serviceTexts(value: unknown): string[] {
  const { services } = (value ?? {}) as { services?: unknown };
  return Array.isArray(services) ? services.map((service) => JSON.stringify(service) ?? '') : [];
}

/** Checks the services that are not known. A mistake is reported by a check of the whole, with its place. */
function checkedRegistry(
  document: YamlDocument,
  texts: readonly string[],
  known: KnownServices,
): Registry {
  if (known.size === 0 || texts.length === 0) return checkYaml(document, registrySchema);
  const value = document.value as { services: unknown[] };
  const services = value.services.filter((_, i) => !known.has(texts[i] as string));
  const result = registrySchema.safeParse({ ...value, services });
  if (!result.success) return checkYaml(document, registrySchema);
  const checked = result.data.services.values();
  return {
    ...result.data,
    services: texts.map((json) => known.get(json) ?? (checked.next().value as RegistryService)),
  };
}

/** Its destination depends on nothing else: neither on DNS nor on the external workloads of the file. */
const standsAlone = (service: RegistryService): boolean =>
  [service, ...service.backends].every((b) => !b.dns && !b.selector);

/** The part of a correct service that can contradict another one. */
const namesOf = ({
  name,
  namespace,
  hosts,
  addresses,
  protocol,
}: RegistryService): RegistryService => ({
  name,
  namespace,
  hosts,
  addresses,
  protocol,
  backends: [],
  routes: [],
});

function destinationOf(
  service: RegistryService,
  registry: Registry,
  trustDomain: string,
  dns: DnsBackend[],
): Destination {
  const name = `${service.name}.${service.namespace}`;
  const own: RegistryBackend = { ...service, name: service.name };
  const compile = (backend: RegistryBackend): Backend => {
    const account = backend.serviceAccount ?? service.serviceAccount ?? service.name;
    const { namespace } = service;
    const identity = identityName({ serviceAccount: account, namespace, trustDomain });
    if (backend.dns) {
      dns.push({
        destination: name,
        backend: backend.name,
        dns: backend.dns,
        ...(!backend.dns.plaintext && { identity }),
      });
    }
    return backendOf(backend, own, [
      ...(backend.endpoints ?? []).map((e) => endpointOf(e, identity)),
      ...selected(backend, service.namespace, registry, trustDomain),
    ]);
  };
  return {
    name,
    service: service.name,
    namespace: service.namespace,
    hosts: [...new Set([...ownHosts(name), ...service.hosts])],
    addresses: service.addresses,
    protocol: service.protocol,
    routes: service.routes.map((r) => withSplit(r, service.name)),
    backends: [compile(own), ...service.backends.map(compile)],
    ...(service.retryBudget && { retryBudget: service.retryBudget }),
  };
}

const ownHosts = (name: string): string[] => [name, `${name}.svc`, `${name}.svc.cluster.local`];

const withSplit = (route: Route, own: string): Route =>
  route.split.length > 0 ? route : { ...route, split: [{ backend: own, weight: 1 }] };

function backendOf(backend: RegistryBackend, own: RegistryBackend, endpoints: Endpoint[]): Backend {
  const breaker = backend.breaker ?? own.breaker;
  return {
    name: backend.name,
    endpoints,
    balancer: backend.balancer ?? own.balancer ?? backendDefaults.balancer,
    ...(breaker && { breaker }),
    limits: backend.limits ?? own.limits ?? backendDefaults.limits,
    failFastMs: backend.failFast ?? own.failFast ?? backendDefaults.failFastMs,
  };
}

function endpointOf(
  e: NonNullable<RegistryBackend['endpoints']>[number],
  identity: string,
): Endpoint {
  return {
    address: e.address,
    ...(!e.plaintext && { identity: e.identity ?? identity }),
    ...(e.http2 !== undefined && { http2: e.http2 }),
    ...(e.weight !== undefined && { weight: e.weight }),
    ...(e.zone !== undefined && { zone: e.zone }),
    ...(e.labels && { labels: e.labels }),
  };
}

/** The external workloads of the service's namespace that its selector picks and that have the port. */
function selected(
  backend: RegistryBackend,
  namespace: string,
  registry: Registry,
  trustDomain: string,
): Endpoint[] {
  const { selector } = backend;
  if (!selector) return [];
  const endpoints: Endpoint[] = [];
  for (const workload of registry.externalWorkloads) {
    if (workload.namespace !== namespace) continue;
    if (Object.entries(selector.labels).some(([k, v]) => workload.labels[k] !== v)) continue;
    const port = typeof selector.port === 'number' ? selector.port : workload.ports[selector.port];
    if (port === undefined) continue;
    const host = workload.address.includes(':') ? `[${workload.address}]` : workload.address;
    const serviceAccount = workload.serviceAccount ?? workload.name;
    endpoints.push({
      address: `${host}:${port}`,
      ...(!workload.plaintext && {
        identity: identityName({ serviceAccount, namespace, trustDomain }),
      }),
      ...(workload.zone !== undefined && { zone: workload.zone }),
      labels: { external_workload: workload.name },
    });
  }
  return endpoints;
}

function workloadServers(registry: Registry, trustDomain: string): WorkloadServers[] {
  const groups = new Map<string, WorkloadServers>();
  for (const server of registry.servers) {
    const labels = Object.entries(server.labels ?? {}).sort();
    const key = [
      server.namespace,
      server.workload ?? '*',
      ...labels.map(([k, v]) => `${k}=${v}`),
    ].join('/');
    let group = groups.get(key);
    if (!group) {
      group = {
        key,
        namespace: server.namespace,
        ...(server.workload !== undefined && { workload: server.workload }),
        ...(server.labels && { labels: server.labels }),
        servers: [],
      };
      groups.set(key, group);
    }
    group.servers.push(inboundOf(server, registry, trustDomain));
  }
  return [...groups.values()];
}

function inboundOf(server: RegistryServer, registry: Registry, trustDomain: string): InboundServer {
  const mine = registry.authorizations.filter((a) => targets(a, server));
  return {
    name: server.name,
    port: server.port,
    target: server.target,
    protocol: server.protocol,
    // A list of allowed callers implies that all others are denied.
    defaultPolicy: server.policy ?? (mine.length > 0 ? 'deny' : registry.defaults.policy),
    authorizations: mine.flatMap((a) => authorizationsOf(a.name, a.from, trustDomain, a.routes)),
    routes: server.routes,
    ...(server.rateLimit && { rateLimit: server.rateLimit }),
    ...(server.maxConcurrent !== undefined && { maxConcurrent: server.maxConcurrent }),
  };
}

function targets(a: Registry['authorizations'][number], server: RegistryServer): boolean {
  return (
    a.namespace === server.namespace &&
    (a.workload === undefined || a.workload === server.workload) &&
    (a.server === undefined || a.server === server.name)
  );
}

/** Problems that the schema cannot detect: duplicate names, and references to unknown names. */
function referenceProblems(document: YamlDocument, registry: Registry): Problem[] {
  const problems: Problem[] = [];
  const at: Report = (path, message, expected) => {
    problems.push({ place: document.placeOf(path), message, ...(expected && { expected }) });
  };
  serviceProblems(registry, at);
  serverProblems(registry, at);
  return problems;
}

type Report = (path: (string | number)[], message: string, expected?: string) => void;

function serviceProblems(registry: Registry, at: Report): void {
  const services = new Set<string>();
  const nameOf = (s: RegistryService): string => `${s.name}.${s.namespace}`;
  const owners = new Map(
    registry.services.flatMap((s) => ownHosts(nameOf(s)).map((h) => [h, nameOf(s)] as const)),
  );
  registry.services.forEach((service, i) => {
    const name = nameOf(service);
    if (services.has(name)) at(['services', i, 'name'], `the service ${name} is defined twice`);
    services.add(name);
    for (const [field, one] of [
      ['hosts', 'host'],
      ['addresses', 'address'],
    ] as const) {
      service[field].forEach((h, j) => {
        const other = owners.get(h) ?? name;
        if (other !== name) at(['services', i, field, j], `the ${one} ${h} is ${other}'s already`);
        owners.set(h, other);
      });
    }
    const backends = new Set([service.name]);
    service.backends.forEach((b, j) => {
      if (backends.has(b.name)) {
        at(['services', i, 'backends', j, 'name'], `the backend ${b.name} is defined twice`);
      }
      backends.add(b.name);
    });
    const known = `one of ${[...backends].join(', ')}`;
    for (const [b, dns, path] of [
      [service.name, service.dns, ['services', i, 'dns']] as const,
      ...service.backends.map(
        (x, j) => [x.name, x.dns, ['services', i, 'backends', j, 'dns']] as const,
      ),
    ]) {
      if (dns && dns.type !== 'SRV' && dns.port === undefined) {
        at([...path], `the dns of ${b} has no port`, `a port, or type SRV`);
      }
    }
    service.routes.forEach((r, j) => {
      const path = ['services', i, 'routes', j];
      if (service.routes.findIndex((other) => other.name === r.name) !== j) {
        at([...path, 'name'], `the route ${r.name} is defined twice`);
      }
      const used = new Set<string>();
      r.split.forEach((s, k) => {
        const place = [...path, 'split', k, 'backend'];
        if (!backends.has(s.backend)) at(place, `no backend ${s.backend}`, known);
        if (used.has(s.backend)) at(place, `the backend ${s.backend} is in the split twice`);
        used.add(s.backend);
      });
      if (r.mirror && !backends.has(r.mirror.backend)) {
        at([...path, 'mirror', 'backend'], `no backend ${r.mirror.backend}`, known);
      }
    });
  });
}

function serverProblems(registry: Registry, at: Report): void {
  const ports = new Set<string>();
  registry.servers.forEach(({ namespace, workload, labels, name, port }, i) => {
    const whose = JSON.stringify([namespace, workload, Object.entries(labels ?? {}).sort()]);
    for (const [field, value] of Object.entries({ name, port })) {
      const key = `${whose} ${field} ${value}`;
      if (ports.has(key)) at(['servers', i, field], `a server of that ${field} is there already`);
      ports.add(key);
    }
  });
  registry.authorizations.forEach((a, i) => {
    const servers = registry.servers.filter((server) => targets(a, server));
    if (servers.length === 0) {
      at(['authorizations', i], `the authorization ${a.name} fits no server`);
    }
    a.routes?.forEach((name, j) => {
      if (servers.length > 0 && !servers.some((s) => s.routes.some((r) => r.name === name))) {
        at(['authorizations', i, 'routes', j], `no route ${name} on the servers it fits`);
      }
    });
  });
}
