/** Converts Gateway API HTTPRoutes and GRPCRoutes to routes, ordered by the API's own precedence. */
import type { HeaderChanges, OwnAnswer, RouteMatch } from '../../model.js';
import { annotationName } from '../annotations.js';
import { type ObjectMeta, resources } from '../client/objects.js';
import {
  checkRegex,
  type Drafts,
  type DraftShare,
  type FieldProblem,
  readDuration,
  type Referrer,
  retryPolicy,
  type RouteDraft,
  type ServiceRef,
} from './route-parts.js';
import { setNamed } from './named-fields.js';
import type { BackendRef, GrpcRouteSpec, HttpRouteSpec, ParentRef, RouteFilter } from './specs.js';

type HttpRule = NonNullable<HttpRouteSpec['rules']>[number];
type GrpcRule = NonNullable<GrpcRouteSpec['rules']>[number];

/** Returns one route for each match, since another rule's match may rank between two matches of one rule. */
export function httpRoutes(metadata: ObjectMeta, spec: HttpRouteSpec): Drafts {
  const { name, namespace = 'default' } = metadata;
  const problems: FieldProblem[] = [];
  const drafts: RouteDraft[] = [];
  // The Gateway API has no field for them, so they apply to all rules.
  const annotation = (named: string) => metadata.annotations?.[annotationName(named)];
  const annotationPath = (named: string) => `metadata.annotations[${annotationName(named)}]`;
  (spec.rules ?? [{}]).forEach((rule: HttpRule, i) => {
    const path = `spec.rules[${i}]`;
    const shared = ruleDraft(
      name,
      referrerOf('HTTPRoute', namespace, spec),
      i,
      rule,
      path,
      problems,
    );
    const requestMs = readDuration(rule.timeouts?.request, `${path}.timeouts.request`, problems);
    const perTryMs = readDuration(
      rule.timeouts?.backendRequest,
      `${path}.timeouts.backendRequest`,
      problems,
    );
    // 0s is no limit.
    if (requestMs && perTryMs !== undefined && perTryMs > requestMs) {
      const message = 'backendRequest is longer than request';
      problems.push({ path: `${path}.timeouts`, message });
    }
    shared.route.timeouts = {
      ...(requestMs === undefined ? {} : { requestMs }),
      ...(perTryMs === undefined ? {} : { perTryMs }),
    };
    setNamed(shared.route, 'annotation', annotation, annotationPath, i === 0 ? problems : []);
    if (rule.retry) {
      const { backoff } = retryPolicy({});
      const baseMs =
        readDuration(rule.retry.backoff, `${path}.retry.backoff`, problems) ?? backoff.baseMs;
      shared.route.retry = retryPolicy({
        limit: rule.retry.attempts ?? 1,
        ...(rule.retry.codes
          ? { statuses: rule.retry.codes.map((c): [number, number] => [c, c]) }
          : {}),
        backoff: { ...backoff, baseMs, maxMs: baseMs * 10 },
      });
    }
    const matches = rule.matches && rule.matches.length > 0 ? rule.matches : [{}];
    matches.forEach((match, j) => {
      const before = problems.length;
      const made = httpMatch(match, `${path}.matches[${j}]`, problems);
      // A match without its invalid part would match too much.
      if (problems.length > before) return;
      drafts.push({
        ...shared,
        rank: rankOf(made),
        route: { ...shared.route, matches: isEmpty(made) ? [] : [made] },
      });
    });
  });
  return { drafts: inOrder(drafts), problems };
}

export function grpcRoutes(metadata: ObjectMeta, spec: GrpcRouteSpec): Drafts {
  const { name, namespace = 'default' } = metadata;
  const problems: FieldProblem[] = [];
  const drafts: RouteDraft[] = [];
  (spec.rules ?? [{}]).forEach((rule: GrpcRule, i) => {
    const path = `spec.rules[${i}]`;
    const shared = ruleDraft(
      name,
      referrerOf('GRPCRoute', namespace, spec),
      i,
      rule,
      path,
      problems,
    );
    const matches = rule.matches && rule.matches.length > 0 ? rule.matches : [{}];
    matches.forEach((match, j) => {
      const before = problems.length;
      const made: RouteMatch = {};
      const at = `${path}.matches[${j}]`;
      const method = match.method;
      if (method?.service || method?.method) {
        const isRegex = method.type === 'RegularExpression';
        const part = (name: string | undefined): string =>
          !name ? '[^/]+' : isRegex ? name : name.replaceAll('.', '\\.');
        const [service, call] = [part(method.service), part(method.method)];
        if (isRegex || !method.service || !method.method) {
          const value = `^/(?:${service})/(?:${call})$`;
          if (checkRegex(value, `${at}.method`, problems)) made.path = { kind: 'regex', value };
        } else made.path = { kind: 'exact', value: `/${method.service}/${method.method}` };
      }
      addHeaders(made, match.headers, at, problems);
      if (problems.length > before) return;
      drafts.push({
        ...shared,
        rank: rankOf(made),
        route: { ...shared.route, matches: isEmpty(made) ? [] : [made] },
      });
    });
  });
  return { drafts: inOrder(drafts), problems };
}

const referrerOf = (
  kind: Referrer['kind'],
  namespace: string,
  { parentRefs = [] }: { parentRefs?: ParentRef[] },
): Referrer => ({
  kind,
  namespace,
  parents: parentRefs.filter(isServiceParent).map((p) => `${p.namespace ?? namespace}/${p.name}`),
});

const isEmpty = (match: RouteMatch): boolean => Object.keys(match).length === 0;

/** Exact paths rank first, then longer paths, then a method, then more headers, then more query parameters. */
function rankOf(match: RouteMatch): number[] {
  const path = match.path;
  return [
    path?.kind === 'exact' ? 2 : path?.kind === 'regex' ? 1 : 0,
    path?.value.length ?? 0,
    match.method ? 1 : 0,
    match.headers?.length ?? 0,
    match.query?.length ?? 0,
  ];
}

/** The sort is stable: matches of equal rank stay in the order in which they were written. */
export function inOrder(drafts: readonly RouteDraft[]): RouteDraft[] {
  const compare = ({ rank: a = [] }: RouteDraft, { rank: b = [] }: RouteDraft): number => {
    for (let i = 0; i < a.length; i++) {
      const difference = (b[i] ?? 0) - (a[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  return [...drafts].sort(compare);
}

function httpMatch(
  match: NonNullable<HttpRule['matches']>[number],
  path: string,
  problems: FieldProblem[],
): RouteMatch {
  const made: RouteMatch = {};
  if (match.method) made.method = match.method;
  const value = match.path?.value ?? '/';
  if (match.path && !(value === '/' && (match.path.type ?? 'PathPrefix') === 'PathPrefix')) {
    if (match.path.type === 'Exact') made.path = { kind: 'exact', value };
    else if (match.path.type === 'RegularExpression') {
      if (checkRegex(value, `${path}.path.value`, problems)) made.path = { kind: 'regex', value };
    } else made.path = { kind: 'prefix', value };
  }
  addHeaders(made, match.headers, path, problems);
  if (match.queryParams && match.queryParams.length > 0) {
    made.query = match.queryParams.map((q, i) => {
      const kind = q.type === 'RegularExpression' ? 'regex' : 'exact';
      if (kind === 'regex') checkRegex(q.value, `${path}.queryParams[${i}].value`, problems);
      return { name: q.name, kind, value: q.value };
    });
  }
  return made;
}

function addHeaders(
  made: RouteMatch,
  headers: { type?: string; name: string; value: string }[] | undefined,
  path: string,
  problems: FieldProblem[],
): void {
  if (!headers || headers.length === 0) return;
  const matches = new Map<string, NonNullable<RouteMatch['headers']>[number]>();
  headers.forEach((h, i) => {
    const kind = h.type === 'RegularExpression' ? 'regex' : 'exact';
    if (kind === 'regex') checkRegex(h.value, `${path}.headers[${i}].value`, problems);
    const name = h.name.toLowerCase();
    // Of a name in several spellings the first counts (Gateway API).
    if (!matches.has(name)) matches.set(name, { name, kind, value: h.value });
  });
  made.headers = [...matches.values()];
}

function ruleDraft(
  name: string,
  referrer: Referrer,
  index: number,
  rule: HttpRule | GrpcRule,
  path: string,
  problems: FieldProblem[],
): RouteDraft {
  const label = rule.name ?? (index === 0 ? name : `${name}-${index + 1}`);
  const draft: RouteDraft = {
    route: { name: label, matches: [], timeouts: {} },
    split: [],
    referrer,
  };
  (rule.backendRefs ?? []).forEach((ref, i) => {
    const at = `${path}.backendRefs[${i}]`;
    const service = serviceRef(ref, referrer.namespace, at, problems);
    const { weight = 1 } = ref;
    // A share without a valid backend is answered by the proxy, and never given to the other backends.
    if (service) draft.split.push({ ...service, weight, ...shareFilters(ref, at, problems) });
    else draft.split.push({ service: '', namespace: '', weight, respond: noBackend });
  });
  const before = problems.length;
  (rule.filters ?? []).forEach((filter, i) =>
    applyFilter(draft, filter, referrer.namespace, `${path}.filters[${i}]`, problems),
  );
  if (rule.sessionPersistence !== undefined) {
    problems.push({ path: `${path}.sessionPersistence`, message: 'is not supported' });
  }
  // An ignored filter may have been the one that restricts access, so the route answers with an error.
  if (problems.length > before) draft.route.respond = unsupported;
  return draft;
}

export const isForClientsAlone = (filter: RouteFilter): boolean =>
  [filter.requestRedirect, filter.urlRewrite, filter.requestMirror, filter.cors].some(Boolean);

const noBackend: OwnAnswer = { status: 500, reason: 'no-backend' };
export const unsupported: OwnAnswer = { status: 500, reason: 'unsupported-filter' };

/** The filters of one backend: changes of headers; no other filter has a meaning for a share here. */
function shareFilters(
  ref: BackendRef,
  path: string,
  problems: FieldProblem[],
): Partial<DraftShare> {
  const share: Partial<DraftShare> = {};
  (ref.filters ?? []).forEach((filter, i) => {
    if (filter.requestHeaderModifier) {
      share.requestHeaders = changes(filter.requestHeaderModifier);
    } else if (filter.responseHeaderModifier) {
      share.responseHeaders = changes(filter.responseHeaderModifier);
    } else {
      const message = `filter ${filter.type} is not supported on a backend`;
      problems.push({ path: `${path}.filters[${i}]`, message });
      share.respond = unsupported;
    }
  });
  return share;
}

function serviceRef(
  ref: BackendRef,
  namespace: string,
  path: string,
  problems: FieldProblem[],
): ServiceRef | undefined {
  if ((ref.kind ?? 'Service') !== 'Service' || !isCoreGroup(ref.group)) {
    const kind = ref.group ? `${ref.group}/${ref.kind}` : ref.kind;
    const message = `'${kind}' is not Service`;
    problems.push({ path: `${path}.kind`, message, reason: 'InvalidKind' });
    return undefined;
  }
  return {
    service: ref.name,
    namespace: ref.namespace ?? namespace,
    ...(ref.port === undefined ? {} : { port: ref.port }),
  };
}

const isCoreGroup = (group: string | undefined): boolean =>
  group === undefined || group === '' || group === 'core';

/** Whether this parent makes a route concern the mesh; a Gateway's routes belong to the Gateway's own controller. */
export const isServiceParent = (parent: ParentRef): boolean =>
  parent.kind === 'Service' && isCoreGroup(parent.group);

/** A Service without `group: ""`: the API server fills in the Gateway API's own group, in which no Service is. */
export const isUngrouped = (parent: ParentRef): boolean =>
  parent.kind === 'Service' && parent.group === resources.HTTPRoute.group;

/** Whether this parent makes a route one of the inbound side. The API server fills in the Gateway API's own group. */
export const isServerParent = ({ kind, group }: ParentRef): boolean =>
  kind === 'Server' &&
  (!group || group === resources.HTTPRoute.group || group === resources.Server.group);

function applyFilter(
  draft: RouteDraft,
  filter: RouteFilter,
  namespace: string,
  path: string,
  problems: FieldProblem[],
): void {
  const route = draft.route;
  if (filter.requestHeaderModifier) route.requestHeaders = changes(filter.requestHeaderModifier);
  else if (filter.responseHeaderModifier) {
    route.responseHeaders = changes(filter.responseHeaderModifier);
  } else if (filter.requestMirror) {
    const { backendRef, percent, fraction } = filter.requestMirror;
    const ref = serviceRef(backendRef, namespace, `${path}.requestMirror.backendRef`, problems);
    const share = fraction
      ? fraction.numerator / (fraction.denominator ?? 100)
      : (percent ?? 100) / 100;
    if (draft.mirror) problems.push({ path, message: 'a second RequestMirror is not supported' });
    else if (ref) draft.mirror = { ...ref, fraction: share };
  } else if (filter.requestRedirect) {
    const { scheme, hostname, port, statusCode, path: to } = filter.requestRedirect;
    route.redirect = {
      status: (statusCode ?? 302) as 302,
      ...(scheme ? { scheme } : {}),
      ...(hostname ? { host: hostname } : {}),
      ...(port === undefined ? {} : { port }),
      ...(to?.replaceFullPath === undefined ? {} : { path: to.replaceFullPath }),
      ...(to?.replacePrefixMatch === undefined ? {} : { prefix: to.replacePrefixMatch }),
    };
  } else if (filter.urlRewrite) {
    const { hostname, path: to } = filter.urlRewrite;
    route.rewrite = {
      ...(hostname ? { host: hostname } : {}),
      ...(to?.replaceFullPath === undefined ? {} : { path: to.replaceFullPath }),
      ...(to?.replacePrefixMatch === undefined ? {} : { prefix: to.replacePrefixMatch }),
    };
  } else if (filter.cors) {
    const { maxAge, ...cors } = filter.cors;
    route.cors = { ...cors, maxAgeSeconds: maxAge ?? 5 };
  } else problems.push({ path, message: `filter ${filter.type} is not supported` });
}

function changes(filter: NonNullable<RouteFilter['requestHeaderModifier']>): HeaderChanges {
  const pairs = (list: { name: string; value: string }[] | undefined): [string, string][] =>
    (list ?? []).map((h) => [h.name.toLowerCase(), h.value]);
  return {
    ...(filter.set ? { set: pairs(filter.set) } : {}),
    ...(filter.add ? { add: pairs(filter.add) } : {}),
    ...(filter.remove ? { remove: filter.remove.map((n) => n.toLowerCase()) } : {}),
  };
}
