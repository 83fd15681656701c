/**
 * Checks users' annotations: reports the first invalid one, since a half-configured pod is worse than a refused one.
 */
import { suggest } from '../../../base/suggest.js';
import {
  annotations,
  isPolicy,
  isRevision,
  parsePorts,
  parseRequestLabel,
  routeAnnotations,
} from '../annotations.js';
import { type KubeObject, meshGroup } from '../client/objects.js';
import { bytesOf, isQuantity, leastMemoryBytes } from './resources.js';
import { accessPolicies } from '../../schema/choices.js';

interface Check {
  fits(text: string): boolean;
  expected: string;
}

const portList: Check = {
  fits: (text) => parsePorts(text) !== undefined,
  expected: 'ports such as 25,8000-8010',
};
const quantity = (example: string): Check => ({
  fits: isQuantity,
  expected: `a quantity such as ${example}`,
});
const oneOf = (...words: readonly string[]): Check => ({
  fits: (text) => words.includes(text),
  expected: words.join(' or '),
});

const checks: Readonly<Record<string, Check>> = {
  [annotations.skipInboundPorts]: portList,
  [annotations.skipOutboundPorts]: portList,
  [annotations.opaquePorts]: portList,
  [annotations.proxyCpuRequest]: quantity('10m'),
  [annotations.proxyCpuLimit]: quantity('1'),
  [annotations.proxyMemoryRequest]: quantity('32Mi'),
  [annotations.proxyMemoryLimit]: {
    fits: (text) => isQuantity(text) && bytesOf(text) >= leastMemoryBytes,
    expected: 'a quantity such as 150Mi, at least 32Mi: a proxy without work has 16',
  },
  [annotations.proxyImage]: {
    fits: (text) => /^[\w.:/@-]+$/.test(text),
    expected: 'an image such as registry.example.com/firedrill:0.1.0',
  },
  // A relative path leads to the container's root file system, which is read-only.
  [annotations.proxyLogLevel]: {
    fits: (text) => text === 'off' || text === 'stdout' || text.startsWith('/'),
    expected: 'off, stdout or the absolute path of a file',
  },
  [annotations.traceSampling]: {
    fits: (text) => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1,
    expected: '0 to 1',
  },
  [annotations.requestLabel]: {
    fits: (text) => parseRequestLabel(text) !== undefined,
    expected: 'a label and its source, such as tenant=header:x-tenant or caller=identity:namespace',
  },
  [annotations.drainSeconds]: {
    fits: (text) => /^\d+$/.test(text) && Number(text) <= 3600,
    expected: 'seconds, 0 to 3600',
  },
  [annotations.defaultInboundPolicy]: {
    fits: isPolicy,
    expected: accessPolicies.join(', '),
  },
  [annotations.breaker]: {
    fits: (text) => /^[1-9]\d*$/.test(text),
    expected: 'a number of failures, at least 1',
  },
  [annotations.nativeSidecar]: oneOf('true', 'false'),
  [annotations.start]: oneOf('ordered', 'together'),
  [annotations.mode]: oneOf('transparent', 'explicit'),
  [annotations.revision]: {
    fits: isRevision,
    expected: 'the name of a control plane, as install --revision had it',
  },
};

const known = new Set<string>([...Object.values(annotations), ...routeAnnotations]);

/** `present` are all annotations that apply to the pod. Undefined if each is valid. */
export function badAnnotation(
  read: (key: string) => string | undefined,
  present: Readonly<Record<string, string>> = {},
): string | undefined {
  // Offline, a manifest may hold numbers and booleans, which the API server refuses.
  const bare = Object.entries(present).find(
    ([k, v]) => k.startsWith(`${meshGroup}/`) && typeof v !== 'string',
  );
  if (bare) return `${bare[0]}: ${bare[1]} is no text; expected "${bare[1]}", in quotes`;
  for (const [key, { fits, expected }] of Object.entries(checks)) {
    const value = read(key);
    if (value !== undefined && !fits(value)) return `${key}: '${value}'; expected ${expected}`;
  }
  return unknownAnnotation(present, known);
}

/** A misspelt name would silently mean the default. */
function unknownAnnotation(
  present: Readonly<Record<string, string>> | undefined,
  names: ReadonlySet<string>,
): string | undefined {
  const ours = Object.keys(present ?? {}).filter((key) => key.startsWith(`${meshGroup}/`));
  const unknown = ours.find((key) => !names.has(key));
  if (unknown === undefined) return undefined;
  const short = (key: string): string => key.slice(meshGroup.length + 1);
  const meant = suggest(short(unknown), [...names].map(short));
  return `${unknown}: no such annotation${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

const ofHttpRoutes = new Set(routeAnnotations);
/** An annotation of a route that sets no field; a GRPCRoute has none. */
export const unknownRouteAnnotation = ({ kind, metadata }: KubeObject): string | undefined =>
  unknownAnnotation(metadata.annotations, kind === 'HTTPRoute' ? ofHttpRoutes : new Set());
