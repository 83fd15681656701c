/** The custom resources, each with its schema. The API server refuses violations of a schema; the webhook, the rest. */
import { type Form, leavesOf } from '../../schema/fields.js';
import { routeFields } from '../../schema/route.js';
import type { AnyObject } from '../client/objects.js';
import {
  apiVersionOf,
  type Kind,
  olderVersions,
  type Resource,
  resources,
} from '../client/objects.js';
import {
  duration,
  fields,
  flag,
  labelSelector,
  list,
  number,
  oneOf,
  port,
  type Schema,
  status,
  text,
  whole,
} from './schema.js';
import { accessPolicies } from '../../schema/choices.js';

/** Conditions nest, but OpenAPI in Kubernetes cannot refer to itself, so three levels are written out. */
function condition(depth: number): Schema {
  const nested: Record<string, Schema> =
    depth === 0
      ? {}
      : {
          all: list(condition(depth - 1), 'all must hold'),
          any: list(condition(depth - 1), 'one must hold'),
        };
  return fields({
    method: text('GET, POST, ...'),
    pathRegex: text('the whole path, anchored at both ends'),
    ...nested,
  });
}

function schemaOf(form: Form, words: string): Schema {
  if (form.kind === 'duration') return duration(words);
  if (form.kind === 'flag') return flag(words);
  if (form.kind !== 'number') throw new Error(`a profile has no ${form.kind}`);
  const { min = 0, max, registry } = form;
  if (!form.whole) return number(words, min, max);
  return whole(words, registry?.above === undefined ? min : registry.above + 1, max);
}

/** The fields of a route that a profile can set. */
const ofRoute = Object.fromEntries(
  [...leavesOf(routeFields)].flatMap(({ field: { form, doc, profile } }) => {
    if (profile === undefined) return [];
    return [[profile, schemaOf(form, doc.replace(/\.$/, ''))]];
  }),
) as Record<string, Schema>;

const targetRef = (...kinds: string[]): Schema =>
  fields({
    group: text('API group'),
    'kind!': oneOf('what it applies to', ...kinds),
    'name!': text('its name'),
  });

const rate = {
  'requestsPerSecond!': whole('sustained rate', 1),
  burst: whole('default: one second of the rate', 1),
};

const specs = {
  ServiceProfile: fields({
    routes: list(
      fields({
        'name!': text('the route label of metrics', { minLength: 1, maxLength: 128 }),
        'condition!': condition(2),
        responseClasses: list(
          fields({
            'condition!': fields({
              status: fields({ min: whole('lowest', 100, 599), max: whole('highest', 100, 599) }),
            }),
            isFailure: flag('whether such an answer is a failure'),
          }),
          'which answers are failures; default: 500 to 599',
        ),
        isRetryable: flag('safe to repeat, whatever the method'),
        ...ofRoute,
      }),
      'tried in order, the first match wins',
    ),
    retryBudget: fields({
      'retryRatio!': number('retries for each request', 0, 1000),
      'minRetriesPerSecond!': whole('a floor for quiet services', 0),
      'ttl!': duration('how long requests count, 1s to 60s'),
    }),
    dstOverrides: list(
      fields({
        'authority!': text('service, service.namespace or full name'),
        'weight!': whole('relative', 0),
      }),
      'where traffic goes instead',
    ),
  }),
  TrafficSplit: fields({
    'service!': text('the service that clients call'),
    'backends!': list(
      fields({ 'service!': text('a service of the namespace'), 'weight!': whole('relative', 0) }),
      'where it goes',
      1,
    ),
    matches: list(
      { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      'not done: a split with matches is not in force',
    ),
  }),
  Server: fields({
    'podSelector!': labelSelector,
    'port!': {
      'x-kubernetes-int-or-string': true,
      description: 'number, or name of a container port',
    },
    proxyProtocol: oneOf(
      'default: detected',
      'unknown',
      'HTTP/1',
      'HTTP/2',
      'gRPC',
      'opaque',
      'TLS',
    ),
    accessPolicy: oneOf(
      'for whoever no AuthorizationPolicy names; default: deny',
      ...accessPolicies,
    ),
    maxConcurrent: whole('more at once answer 503', 1),
  }),
  AuthorizationPolicy: fields({
    'targetRef!': targetRef('Server', 'HTTPRoute', 'Namespace'),
    'from!': list(
      fields({
        serviceAccount: text('of this namespace, or of `namespace`'),
        namespace: text('every identity of it'),
        identity: text('exact, *.suffix, or * for any mesh identity'),
        network: text('CIDR'),
        unauthenticated: flag('also without any identity'),
      }),
      'any of these may call',
    ),
  }),
  RateLimit: fields({
    'targetRef!': targetRef('Server'),
    total: fields(rate),
    identity: fields(rate, 'one bucket for each client identity'),
    overrides: list(
      fields({
        ...rate,
        'clientRefs!': list(
          fields({ 'name!': text('service account'), namespace: text('its namespace') }),
          'who',
          1,
        ),
      }),
      'other rates for some clients',
    ),
  }),
  ExternalWorkload: fields({
    'workloadIPs!': list(fields({ 'ip!': text('address') }), 'where it is', 1),
    ports: list(
      fields({ name: text('as services call it'), 'port!': port('number') }),
      'what it listens on',
    ),
    serviceAccount: text('whose identity it has; default: its name'),
    meshed: flag('whether a proxy runs there; default: true'),
  }),
  MultiClusterLink: fields({
    'clusterName!': text('suffix of mirrored services', {
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    }),
    'gatewayAddress!': text('ip:port of its gateway', { pattern: '^.+:[0-9]+$' }),
    'gatewayIdentity!': text("the name in the gateway's certificate"),
    'credentialsSecret!': text('secret with server, ca.crt and token'),
    selector: labelSelector,
  }),
} as const satisfies Partial<Record<Kind, Schema>>;

export type CustomKind = keyof typeof specs;
export const customKinds = Object.keys(specs) as CustomKind[];

const shortNames: Record<CustomKind, string[]> = {
  ServiceProfile: ['fsp'],
  TrafficSplit: ['ts'],
  Server: ['fsrv'],
  AuthorizationPolicy: ['fauthz'],
  RateLimit: ['frl'],
  ExternalWorkload: ['few'],
  MultiClusterLink: ['fmcl'],
};

/** Allows weights such as `500m`, which SMI's first version has. */
const withQuantities = (schema: Schema): Schema =>
  JSON.parse(
    JSON.stringify(schema, (key, value: unknown) =>
      key === 'weight'
        ? { 'x-kubernetes-int-or-string': true, description: 'relative: 1, 50, 500m' }
        : value,
    ),
  ) as Schema;

function crdOf(kind: CustomKind): AnyObject {
  const resource: Resource = resources[kind];
  const acceptedColumn = {
    name: 'Accepted',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
  };
  return {
    apiVersion: apiVersionOf(resources.CustomResourceDefinition),
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural: resource.plural,
        singular: kind.toLowerCase(),
        shortNames: shortNames[kind],
        categories: ['firedrill'],
      },
      versions: [
        resource.version,
        ...((olderVersions as Partial<Record<Kind, readonly string[]>>)[kind] ?? []),
      ]
        .filter((name, i, all) => all.indexOf(name) === i)
        .map((name) => ({
          name,
          served: true,
          storage: name === resource.version,
          subresources: { status: {} },
          additionalPrinterColumns: [acceptedColumn],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: name === resource.version ? specs[kind] : withQuantities(specs[kind]),
                status,
              },
            },
          },
        })),
    },
  };
}

export const customResources = (): AnyObject[] => customKinds.map(crdOf);
