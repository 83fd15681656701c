/** status.parents of an HTTPRoute or GRPCRoute, for its Services and Servers: Accepted and ResolvedRefs. */
import { isDeepStrictEqual } from 'node:util';
import type { AnyObject } from '../client/objects.js';
import { unknownRouteAnnotation } from '../inject/annotation-check.js';
import { isOfPort } from './attached.js';
import { type Lookup, whyNotSent } from './destinations.js';
import {
  grpcRoutes,
  httpRoutes,
  isForClientsAlone,
  isServerParent,
  isServiceParent,
  isUngrouped,
} from './gateway-routes.js';
import type { Drafts, FieldProblem } from './route-parts.js';
import type { GrpcRouteSpec, HttpRouteSpec, ParentRef } from './specs.js';

export const controllerName = 'mesh.firedrill.dev/controller';

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message?: string;
  observedGeneration?: number;
  lastTransitionTime?: string;
}

export interface ParentStatus {
  parentRef: ParentRef;
  controllerName: string;
  conditions: Condition[];
}

type Look = Pick<Lookup, 'service' | 'server' | 'isGranted'>;

/** Returns the new status.parents, with other controllers' entries unchanged; undefined if the status is up to date. */
export function parentStatuses(
  route: AnyObject,
  look: Look,
  now: string,
): ParentStatus[] | undefined {
  const spec = route.spec as HttpRouteSpec & GrpcRouteSpec;
  const before = (route.status as { parents?: ParentStatus[] } | undefined)?.parents ?? [];
  const others = before.filter((p) => p.controllerName !== controllerName);
  const ours = (spec.parentRefs ?? []).filter(
    (p) => isServiceParent(p) || isServerParent(p) || isUngrouped(p),
  );
  if (ours.length === 0 && others.length === before.length) return undefined;
  const read = route.kind === 'GRPCRoute' ? grpcRoutes : httpRoutes;
  const made: Drafts = read(route.metadata, spec);
  const { generation } = route.metadata;
  const wanted = ours.map((parentRef): ParentStatus => {
    const old = before.find(
      (p) => p.controllerName === controllerName && isDeepStrictEqual(p.parentRef, parentRef),
    );
    const conditions = [
      ...accepted(parentRef, route, made.problems, look),
      resolved(made, look),
    ].map((condition): Condition => {
      const was = old?.conditions.find((c) => c.type === condition.type);
      const since = was?.status === condition.status ? was.lastTransitionTime : undefined;
      return {
        ...condition,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
        lastTransitionTime: since ?? now,
      };
    });
    return { parentRef, controllerName, conditions };
  });
  const all = [...others, ...wanted];
  return sameParents(all, before) ? undefined : all;
}

/** Compares the entries as sets: the API server may keep them in another order of fields. */
const sameParents = (a: ParentStatus[], b: ParentStatus[]): boolean =>
  a.length === b.length && a.every((x) => b.some((y) => isDeepStrictEqual(x, y)));

function accepted(
  parent: ParentRef,
  route: AnyObject,
  problems: readonly FieldProblem[],
  look: Look,
): Condition[] {
  const type = 'Accepted';
  const { namespace = 'default' } = route.metadata;
  const { rules } = route.spec as HttpRouteSpec;
  const key = `${parent.namespace ?? namespace}/${parent.name}`;
  const reason = 'NoMatchingParent';
  if (isUngrouped(parent)) {
    const message = `no Service is in group ${parent.group}: write group: "" for Service ${key}`;
    return [{ type, status: 'False', reason, message }];
  }
  const isOfServer = isServerParent(parent);
  const isApart = !key.startsWith(`${namespace}/`);
  if (isOfServer && (isApart || route.kind !== 'HTTPRoute')) {
    const message = isApart ? `Server ${key} is of another namespace` : 'Servers take HTTPRoutes';
    return [{ type, status: 'False', reason, message }];
  }
  const service = look.service(key);
  const found = isOfServer ? look.server(key) : service;
  if (!found) {
    const message = `there is no ${parent.kind} ${key}`;
    return [{ type, status: 'False', reason, message }];
  }
  if (service?.spec.type === 'ExternalName' && !isOfServer) {
    const message = `Service ${key} is an ExternalName: apps connect to its target by themselves`;
    return [{ type, status: 'False', reason, message }];
  }
  if (!isOfServer && !service?.spec.ports?.some((p) => isOfPort(parent, p))) {
    const port = parent.sectionName ?? parent.port;
    return [{ type, status: 'False', reason, message: `Service ${key} has no port ${port}` }];
  }
  const unsupported = [
    ...problems.filter((p) => p.reason !== 'InvalidKind'),
    ...(isOfServer ? filtersOfServer(rules) : []),
  ];
  if (unsupported.length === 0) {
    const misspelt = unknownRouteAnnotation(route);
    const message =
      (isApart ? `in force for clients of namespace ${namespace}` : 'in force') +
      (misspelt === undefined ? '' : `, but for ${misspelt}`);
    return [{ type, status: 'True', reason: 'Accepted', message }];
  }
  const message = said(unsupported);
  const broken = new Set(unsupported.map((p) => /^spec\.rules\[(\d+)\]/.exec(p.path)?.[1]));
  if (broken.size >= (rules?.length ?? 1)) {
    return [{ type, status: 'False', reason: 'UnsupportedValue', message }];
  }
  return [
    {
      type,
      status: 'True',
      reason: 'Accepted',
      message: 'in force, but for the rules with problems',
    },
    {
      type: 'PartiallyInvalid',
      status: 'True',
      reason: 'UnsupportedValue',
      message: `Dropped Rule: ${message}`.slice(0, 1000),
    },
  ];
}

/** On the server's side a request is neither sent elsewhere nor answered by its proxy. */
const filtersOfServer = (rules: HttpRouteSpec['rules'] = []): FieldProblem[] =>
  rules.flatMap(({ filters = [] }, i) =>
    filters.flatMap((filter, j) => {
      if (!isForClientsAlone(filter)) return [];
      const path = `spec.rules[${i}].filters[${j}]`;
      return [{ path, message: `filter ${filter.type} is not supported on a Server` }];
    }),
  );

function resolved({ drafts, problems }: Drafts, look: Look): Condition {
  const type = 'ResolvedRefs';
  const kinds = problems.filter((p) => p.reason === 'InvalidKind');
  if (kinds.length > 0) {
    return { type, status: 'False', reason: 'InvalidKind', message: said(kinds) };
  }
  for (const draft of drafts) {
    for (const ref of [...draft.split, ...(draft.mirror ? [draft.mirror] : [])]) {
      const why = ref.service !== '' && draft.referrer && whyNotSent(draft.referrer, ref, look);
      if (why) return { type, status: 'False', ...why };
    }
  }
  return { type, status: 'True', reason: 'ResolvedRefs', message: 'every backend is there' };
}

const said = (problems: readonly FieldProblem[]): string =>
  problems
    .map((p) => `${p.path}: ${p.message}`)
    .join('; ')
    .slice(0, 1000);
