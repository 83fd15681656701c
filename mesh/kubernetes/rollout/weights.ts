/** The shares of a service's traffic, in an object: a TrafficSplit of ours, or an HTTPRoute of the user's. */
import { UserError } from '../../../base/errors.js';
import { isStatus, type KubeApi } from '../client/api.js';
import { apiVersionOf, type KubeObject, type Resource, resources } from '../client/objects.js';
import { servedAs } from '../client/served.js';
import type { Service } from '../discovery/types.js';
import type { TrafficSplitSpec } from '../discovery/specs.js';
import { profileService } from '../discovery/store.js';
import type { Versions } from './counts.js';
import { type Stage, stable } from './rollout.js';

export interface Weights {
  /** The object, for messages. */
  readonly name: string;
  set(stage: Stage): Promise<void>;
  /** The Services to which its weights send. */
  backends(): Promise<string[]>;
  /** Whether somebody else has changed the object since it was set last. */
  isForeign(): Promise<boolean>;
}

/** Names the object: enough for another process to send all traffic back. */
export interface WeightsOf {
  service: string;
  versions: Versions;
  httpRoute?: string | undefined;
}

/**
 * As at the begin, but throws a UserError for a Service that is not there, for versions with the same pods, for weights
 * of other Services too, and the error of `comparable`; a TrafficSplit is made after that check.
 */
export async function checkedWeightsOf(
  api: KubeApi,
  of: WeightsOf,
  comparable: () => Promise<unknown>,
): Promise<Weights> {
  const { namespace, stable: old, canary } = of.versions;
  const found = new Map<string, Service>();
  for (const name of [of.service, old, canary]) {
    const service = await api.find<Service>(resources.Service, namespace, name);
    if (!service) throw new UserError(`there is no Service ${name} in namespace ${namespace}`);
    found.set(name, service);
  }
  refuseSamePods(found.get(old) as Service, found.get(canary) as Service);
  await comparable();
  const weights = await weightsOf(api, of);
  const others = (await weights.backends()).filter((name) => name !== old && name !== canary);
  if (others.length === 0) return weights;
  throw new UserError({
    message: `${weights.name} sends to ${others.join(', ')} too`,
    expected: `backends ${old} and ${canary} alone`,
  });
}

/** Of versions with the same pods, neither could be worse than the other. */
function refuseSamePods(old: Service, canary: Service): void {
  const labelsOf = ({ spec }: Service): [string, string][] => Object.entries(spec.selector ?? {});
  const holds = (wide: Service, narrow: Service): boolean =>
    labelsOf(wide).length > 0 &&
    labelsOf(wide).every(([key, value]) => narrow.spec.selector?.[key] === value);
  const [a, b] = [old.metadata.name, canary.metadata.name];
  if (a !== b && !holds(old, canary) && !holds(canary, old)) return;
  throw new UserError({
    message: a === b ? `${a} is both versions` : `Services ${a} and ${b} select the same pods`,
    expected: 'selectors that tell the versions apart, such as version: v2',
  });
}

export const weightsOf = (api: KubeApi, of: WeightsOf): Promise<Weights> =>
  of.httpRoute === undefined
    ? splitWeights(api, of.service, of.versions)
    : routeWeights(api, of.httpRoute, of.versions);

/** Makes the merge patch of a stage from the object as it is now, so that others' changes of it stay. */
function patched<T extends KubeObject>(
  api: KubeApi,
  { resource, namespace, name }: { resource: Resource; namespace: string; name: string },
  parts: { bodyOf: (stage: Stage, now: T) => object; backendsOf: (now: T) => string[] },
): Weights {
  // The API server counts changes of the spec, whoever makes them, and does not count those of the status.
  let generation: number | undefined;
  const set = async (stage: Stage, attempts = 5): Promise<void> => {
    const now = await api.get<T>(resource, namespace, name);
    const { resourceVersion } = now.metadata;
    const body = { metadata: { resourceVersion }, ...parts.bodyOf(stage, now) };
    try {
      generation = (await api.patch(resource, namespace, name, body)).metadata.generation;
    } catch (error) {
      if (attempts <= 1 || !isStatus(error, 409)) throw error;
      await set(stage, attempts - 1);
    }
  };
  return {
    name: `${resource.kind} ${name}`,
    set: (stage) => set(stage),
    backends: async () => parts.backendsOf(await api.get<T>(resource, namespace, name)),
    isForeign: async () =>
      (await api.find(resource, namespace, name))?.metadata.generation !== generation,
  };
}

interface Split extends KubeObject {
  spec: TrafficSplitSpec;
}

/** Uses the existing TrafficSplit, or makes one with all traffic at the old version. */
async function splitWeights(
  api: KubeApi,
  service: string,
  { namespace, stable: old, canary }: Versions,
): Promise<Weights> {
  const served = await servedAs(api, resources.TrafficSplit);
  const resource = typeof served === 'string' ? resources.TrafficSplit : served;
  const { items } = await api.list<Split>(resource, { namespace });
  const key = profileService(service, namespace);
  const [own] = items.filter((split) => profileService(split.spec.service, namespace) === key);
  const name = own?.metadata.name ?? `firedrill-canary-${service}`;
  const bodyOf = (stage: Stage): object => {
    if (stage.kind === 'mirror') {
      const message = 'a TrafficSplit cannot mirror';
      throw new UserError({ message, expected: '--http-route NAME' });
    }
    const backends = [
      { service: old, weight: 100 - stage.percent },
      { service: canary, weight: stage.percent },
    ];
    return { spec: { service: own?.spec.service ?? service, backends } };
  };
  if (!own) {
    await api.create({
      apiVersion: apiVersionOf(resource),
      kind: 'TrafficSplit',
      metadata: { name, namespace },
      ...bodyOf(stable),
    });
  }
  return patched<Split>(
    api,
    { resource, namespace, name },
    { bodyOf, backendsOf: ({ spec }) => spec.backends.map((b) => b.service) },
  );
}

interface BackendRef {
  name: string;
  port?: number;
  weight?: number;
  [field: string]: unknown;
}
interface RouteRule {
  backendRefs?: BackendRef[];
  filters?: { type: string; requestMirror?: { backendRef?: { name?: string } } }[];
  [field: string]: unknown;
}
interface Route extends KubeObject {
  spec: { rules?: RouteRule[] };
}

/** Changes the route's rules that send to one of the two versions; their matches, filters and timeouts stay. */
async function routeWeights(
  api: KubeApi,
  name: string,
  { namespace, stable: old, canary }: Versions,
): Promise<Weights> {
  const resource = resources.HTTPRoute;
  const route = await api.get<Route>(resource, namespace, name);
  const isVersion = (ref: BackendRef): boolean => ref.name === old || ref.name === canary;
  const isOurs = (rule: RouteRule): boolean => (rule.backendRefs ?? []).some(isVersion);
  if (!(route.spec.rules ?? []).some(isOurs)) {
    const message = `HTTPRoute ${name} sends to neither ${old} nor ${canary}`;
    throw new UserError({ message, expected: 'a rule with one of them among its backendRefs' });
  }
  const ruleAt = (rule: RouteRule, stage: Stage): RouteRule => {
    if (!isOurs(rule)) return rule;
    const refs = rule.backendRefs ?? [];
    const port = refs.find((ref) => ref.port !== undefined)?.port;
    const to = { ...(port !== undefined && { port }) };
    const ref = (service: string, weight: number): BackendRef => ({
      ...to,
      ...refs.find((r) => r.name === service),
      name: service,
      weight,
    });
    const percent = stage.kind === 'weight' ? stage.percent : 0;
    const filters = (rule.filters ?? []).filter(
      (f) => f.requestMirror?.backendRef?.name !== canary,
    );
    const requestMirror = { backendRef: { name: canary, ...to } };
    const mirror = stage.kind === 'mirror' ? [{ type: 'RequestMirror', requestMirror }] : [];
    return {
      ...rule,
      filters: [...filters, ...mirror],
      // A backend that somebody added meanwhile is theirs.
      backendRefs: [
        ref(old, 100 - percent),
        ref(canary, percent),
        ...refs.filter((r) => !isVersion(r)),
      ],
    };
  };
  return patched<Route>(
    api,
    { resource, namespace, name },
    {
      bodyOf: (stage, now) => ({
        spec: { rules: (now.spec.rules ?? []).map((rule) => ruleAt(rule, stage)) },
      }),
      backendsOf: ({ spec }) =>
        (spec.rules ?? [])
          .filter(isOurs)
          .flatMap((rule) => (rule.backendRefs ?? []).map((ref) => ref.name)),
    },
  );
}

/** The reason for which a roll-out must end; undefined while the object is as it set it. */
export async function whyDisturbed(weights: Weights): Promise<string | undefined> {
  if (!(await weights.isForeign())) return undefined;
  return `somebody else changed ${weights.name}: a second roll-out, or a person`;
}
