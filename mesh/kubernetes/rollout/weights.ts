/** The shares of a service's traffic, in an object: a TrafficSplit of ours, or an HTTPRoute of the user's. */
import { UserError } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import { apiVersionOf, type KubeObject, resources } from '../client/objects.js';
import { servedAs } from '../client/served.js';
import type { TrafficSplitSpec } from '../discovery/specs.js';
import type { Versions } from './counts.js';
import { type Stage, stable } from './rollout.js';

/** A merge patch of one object. */
export interface WeightPatch {
  kind: 'TrafficSplit' | 'HTTPRoute';
  /** The API version, if it is not the newest. */
  version?: string;
  namespace: string;
  name: string;
  body: unknown;
}

export interface Weights {
  patchOf(stage: Stage): WeightPatch;
}

export const applyPatch = (
  api: KubeApi,
  { kind, version = resources[kind].version, namespace, name, body }: WeightPatch,
): Promise<unknown> => api.patch({ ...resources[kind], version }, namespace, name, body);

/** The patch that sends all traffic to the old version, whichever process dies. */
export const backToStable = (weights: Weights): WeightPatch => weights.patchOf(stable);

interface Split extends KubeObject {
  spec: TrafficSplitSpec;
}

/** Uses the existing TrafficSplit, or makes one with all traffic at the old version. */
export async function splitWeights(
  api: KubeApi,
  service: string,
  { namespace, stable: old, canary }: Versions,
): Promise<Weights> {
  const served = await servedAs(api, resources.TrafficSplit);
  const resource = typeof served === 'string' ? resources.TrafficSplit : served;
  const { items } = await api.list<Split>(resource, { namespace });
  const [own] = items.filter((split) => split.spec.service === service);
  const name = own?.metadata.name ?? `firedrill-canary-${service}`;
  const strangers = (own?.spec.backends ?? [])
    .map((b) => b.service)
    .filter((b) => b !== old && b !== canary);
  if (strangers.length > 0) {
    throw new UserError({
      message: `TrafficSplit ${name} of ${service} sends to ${strangers.join(', ')} too`,
      expected: `backends ${old} and ${canary} alone`,
    });
  }
  const weights: Weights = {
    patchOf: (stage) => {
      if (stage.kind === 'mirror') {
        const message = 'a TrafficSplit cannot mirror';
        throw new UserError({ message, expected: '--http-route NAME' });
      }
      const backends = [
        { service: old, weight: 100 - stage.percent },
        { service: canary, weight: stage.percent },
      ];
      const { version } = resource;
      return {
        kind: 'TrafficSplit',
        version,
        namespace,
        name,
        body: { spec: { service, backends } },
      };
    },
  };
  if (!own) {
    await api.create({
      apiVersion: apiVersionOf(resource),
      kind: 'TrafficSplit',
      metadata: { name, namespace },
      ...(backToStable(weights).body as object),
    });
  }
  return weights;
}

interface RouteRule {
  backendRefs?: { name: string; port?: number; weight?: number; [field: string]: unknown }[];
  filters?: { type: string; requestMirror?: { backendRef?: { name?: string } } }[];
  [field: string]: unknown;
}
interface Route extends KubeObject {
  spec: { rules?: RouteRule[] };
}

/** Changes the route's rules that send to one of the two versions; their matches, filters and timeouts stay. */
export async function routeWeights(
  api: KubeApi,
  name: string,
  { namespace, stable: old, canary }: Versions,
): Promise<Weights> {
  const route = await api.get<Route>(resources.HTTPRoute, namespace, name);
  const rules = route.spec.rules ?? [];
  const isOurs = (rule: RouteRule): boolean =>
    (rule.backendRefs ?? []).some((ref) => ref.name === old || ref.name === canary);
  if (!rules.some(isOurs)) {
    const message = `HTTPRoute ${name} sends to neither ${old} nor ${canary}`;
    throw new UserError({ message, expected: 'a rule with one of them among its backendRefs' });
  }
  const ruleAt = (rule: RouteRule, stage: Stage): RouteRule => {
    if (!isOurs(rule)) return rule;
    const others = (rule.backendRefs ?? []).filter((r) => r.name !== old && r.name !== canary);
    if (others.length > 0) {
      const message = `HTTPRoute ${name} sends to ${others.map((r) => r.name).join(', ')} too`;
      throw new UserError({ message, expected: `${old} and ${canary} alone` });
    }
    const port = rule.backendRefs?.find((ref) => ref.port !== undefined)?.port;
    const ref = (to: string, weight: number) => ({
      name: to,
      ...(port !== undefined && { port }),
      weight,
    });
    const percent = stage.kind === 'weight' ? stage.percent : 0;
    const filters = (rule.filters ?? []).filter(
      (f) => f.requestMirror?.backendRef?.name !== canary,
    );
    const mirror = {
      type: 'RequestMirror',
      requestMirror: { backendRef: { name: canary, ...(port !== undefined && { port }) } },
    };
    return {
      ...rule,
      filters: stage.kind === 'mirror' ? [...filters, mirror] : filters,
      backendRefs: [ref(old, 100 - percent), ref(canary, percent)],
    };
  };
  const weights: Weights = {
    patchOf: (stage) => ({
      kind: 'HTTPRoute',
      namespace,
      name,
      body: { spec: { rules: rules.map((rule) => ruleAt(rule, stage)) } },
    }),
  };
  weights.patchOf(stable);
  return weights;
}
