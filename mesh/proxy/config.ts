/** Checks a proxy's configuration; README.md documents it. Its state has the form of mesh/model.ts. */
import { UserError } from '../../base/errors.js';
import { isNetwork } from '../policy/authorize.js';
import type { MeshState, ProxyConfig, RequestLabelPolicy } from '../model.js';
import { backendPolicy } from '../schema/backend.js';
import { budgetFields, rateLimitFields, routeFields } from '../schema/route.js';
import { withDefaults } from './config-defaults.js';
import { headerPairs, name, shapeOf, shapesOf } from './field-shape.js';
import {
  flag,
  type Found,
  list,
  number,
  object,
  oneOf,
  record,
  required,
  type Shape,
  text,
} from './shape.js';
import { accessPolicies, protocols } from '../schema/choices.js';

const port = number({ max: 65_535, whole: true });
const milliseconds = number();
const ratio = number({ max: 1 });
const count = number({ whole: true });
const address: Shape = (value, path, found) => {
  const [, at] = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/]+):(\d{1,5})$/.exec(String(value)) ?? [];
  if (typeof value === 'string' && Number(at) <= 65_535) return;
  found.push({ path, message: JSON.stringify(value), expected: 'host:port' });
};

const network: Shape = (value, path, found) => {
  if (typeof value === 'string' && isNetwork(value)) return;
  found.push({ path, message: JSON.stringify(value), expected: 'a network such as 10.0.0.0/8' });
};
const url: Shape = (value, path, found) => {
  if (typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value)) return;
  found.push({ path, message: JSON.stringify(value), expected: 'http://… or https://…' });
};

/** Label names that request metrics use already, and those that Prometheus reserves. */
const takenLabels =
  'direction|dst|dst_service|dst_namespace|rt_route|srv_name|status_code|classification|grpc_status|tls|le|' +
  'job|instance';
const labelName = new RegExp(`^(?!__|(?:${takenLabels})$)[a-zA-Z_][a-zA-Z0-9_]{0,63}$`);

const listener = (modes: Shape): Shape =>
  object({ host: required(name), port: required(port), mode: modes });

const budget = shapeOf(budgetFields);
const rateLimit = shapeOf(rateLimitFields);
const route = shapeOf(routeFields);

const endpoint = object({
  address: required(address),
  identity: name,
  http2: flag,
  weight: number(),
  zone: text(),
  labels: record(text()),
  plainPorts: list(port),
});

/** All fields of a backend, in the model's form. */
export const backendFields = {
  name: required(name),
  endpoints: required(list(endpoint)),
  ...shapesOf(backendPolicy),
};
const backend = object(backendFields);

const protocol = oneOf(...protocols);

const destination = object({
  name: required(name),
  service: name,
  namespace: name,
  hosts: list(name),
  addresses: list(address),
  protocol,
  routes: list(route),
  backends: required(list(backend, 1)),
  retryBudget: budget,
  headless: flag,
});

const server = object({
  name: required(name),
  port: required(port),
  target: required(address),
  protocol,
  opaquePorts: list(port),
  defaultPolicy: oneOf(...accessPolicies),
  authorizations: list(
    object({
      name: required(name),
      routes: list(name),
      identities: list(name),
      unauthenticated: flag,
      networks: list(network),
    }),
  ),
  routes: list(route),
  rateLimit,
  maxConcurrent: count,
});

const state = object({
  version: number(),
  destinations: list(destination),
  servers: list(server),
  unknownDestinations: oneOf('forward', 'refuse'),
});

const requestLabel = object({
  name: required(text({ pattern: labelName, expected: 'a label name that no metric has yet' })),
  header: text({
    pattern: /^[!#$%&'*+\-.^_`|~0-9a-z]+$/,
    expected: 'a header name in lower case',
  }),
  identity: oneOf('name', 'namespace', 'service-account'),
  values: list(text({ pattern: /^.{1,64}$/, expected: '1 to 64 characters' })),
  max: number({ min: 1, max: 500, whole: true }),
});

const mode = oneOf('explicit', 'transparent');

const config = object({
  workload: required(
    object({
      name: required(name),
      namespace: required(name),
      service: name,
      zone: name,
      labels: record(text()),
    }),
  ),
  inbound: listener(mode),
  outbound: listener(mode),
  calls: list(
    object({ host: required(name), port: required(number({ min: 1, max: 65_535, whole: true })) }),
  ),
  admin: object({ host: required(name), port: required(port), shutdown: flag }),
  identity: object({
    name: required(name),
    trustAnchorsFile: required(name),
    certificateFile: name,
    keyFile: name,
  }),
  controller: object({
    addresses: required(list(address, 1)),
    identity: required(name),
    tokenFile: required(name),
    subscribe: list(name),
  }),
  state,
  cacheFolder: name,
  skipPorts: object({ inbound: required(list(port)), outbound: required(list(port)) }),
  tracing: object({
    otlpUrl: required(url),
    sampleRatio: required(ratio),
    service: text(),
  }),
  requestLabel,
  accessLog: text(),
  limits: object({
    maxConnections: count,
    maxHeadBytes: number({ min: 1024, max: 1024 * 1024, whole: true }),
    maxMemoryBytes: number({ min: 64 * 1024 * 1024, whole: true }),
    headTimeoutMs: milliseconds,
    idleTimeoutMs: milliseconds,
    connectTimeoutMs: milliseconds,
  }),
  http1BetweenProxies: oneOf('http2', 'http1'),
  drainSeconds: number({ max: 86_400 }),
  probes: record(
    object({
      kind: required(oneOf('tcp', 'http', 'grpc')),
      port: required(port),
      timeoutMs: required(milliseconds),
      path: text(),
      tls: flag,
      headers: headerPairs,
      service: text(),
    }),
  ),
});

/** The problems of a label for requests; empty when it is valid. */
export function requestLabelProblems(value: unknown, path: readonly string[] = []): Found[] {
  const found: Found[] = [];
  requestLabel(value, path, found);
  if (found.length > 0) return found;
  const { header, identity } = value as RequestLabelPolicy;
  if ((header === undefined) !== (identity === undefined)) return [];
  return [{ path, message: 'no source, or two', expected: 'one of header and identity' }];
}

/** Every problem with its place; empty when the value is a valid configuration. */
export function configProblems(value: unknown): Found[] {
  const found: Found[] = [];
  config(value, [], found);
  if (found.length > 0) return found;
  const { inbound, outbound, identity, controller } = value as ProxyConfig;
  if (!inbound && !outbound) {
    found.push({ path: [], message: 'neither inbound nor outbound', expected: 'at least one' });
  }
  if (value && (value as ProxyConfig).calls?.length && !outbound) {
    found.push({ path: ['calls'], message: 'calls without outbound', expected: 'both' });
  }
  const label = (value as ProxyConfig).requestLabel;
  if (label) found.push(...requestLabelProblems(label, ['requestLabel']));
  if (controller && !identity) {
    found.push({ path: ['controller'], message: 'a controller needs an identity' });
  }
  if (identity && !controller && !(identity.certificateFile && identity.keyFile)) {
    found.push({
      path: ['identity'],
      message: 'no certificateFile and keyFile',
      expected: 'both, or a controller that issues them',
    });
  }
  return found;
}

/** Throws a UserError that names every problem by its path. */
export function checkedConfig(value: unknown, file: string): ProxyConfig {
  const found = configProblems(value);
  if (found.length === 0) return withDefaults(value);
  throw new UserError(
    found.map(({ path, message, expected }) => ({
      message: `${file}: ${path.join('.') || 'the configuration'}: ${message}`,
      ...(expected && { expected }),
    })),
  );
}

export const emptyState: MeshState = {
  version: 0,
  destinations: [],
  servers: [],
  unknownDestinations: 'forward',
};
