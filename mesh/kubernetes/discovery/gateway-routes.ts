/** Gateway API HTTPRoute and GRPCRoute as routes, ordered by the API's own precedence. */
import type { HeaderChanges, RouteMatch } from '../../model.js';
import {
  checkRegex,
  type Drafts,
  type FieldProblem,
  readDuration,
  retryPolicy,
  type RouteDraft,
  type ServiceRef,
} from './route-parts.js';
import type { BackendRef, GrpcRouteSpec, HttpRouteSpec, RouteFilter } from './specs.js';

interface Ranked {
  rank: number[];
  draft: RouteDraft;
}

type HttpRule = NonNullable<HttpRouteSpec['rules']>[number];
type GrpcRule = NonNullable<GrpcRouteSpec['rules']>[number];

/** One route a match, since matches of one rule may rank on either side of another rule's. */
export function httpRoutes(name: string, namespace: string, spec: HttpRouteSpec): Drafts {
  const problems: FieldProblem[] = [];
  const ranked: Ranked[] = [];
  (spec.rules ?? [{}]).forEach((rule: HttpRule, i) => {
    const path = `spec.rules[${i}]`;
    const shared = ruleDraft(name, namespace, i, rule, path, problems);
    const requestMs = readDuration(rule.timeouts?.request, `${path}.timeouts.request`, problems);
    const perTryMs = readDuration(
      rule.timeouts?.backendRequest,
      `${path}.timeouts.backendRequest`,
      problems,
    );
    if (requestMs !== undefined && perTryMs !== undefined && perTryMs > requestMs) {
      const message = 'backendRequest is longer than request';
      problems.push({ path: `${path}.timeouts`, message });
    }
    shared.route.timeouts = {
      ...(requestMs === undefined ? {} : { requestMs }),
      ...(perTryMs === undefined ? {} : { perTryMs }),
    };
    if (rule.retry) {
      const baseMs = readDuration(rule.retry.backoff, `${path}.retry.backoff`, problems) ?? 25;
      shared.route.retry = retryPolicy({
        limit: rule.retry.attempts ?? 1,
        ...(rule.retry.codes
          ? { statuses: rule.retry.codes.map((c): [number, number] => [c, c]) }
          : {}),
        backoff: { baseMs, maxMs: baseMs * 10, jitter: 0.5 },
      });
    }
    const matches = rule.matches && rule.matches.length > 0 ? rule.matches : [{}];
    matches.forEach((match, j) => {
      const made = httpMatch(match, `${path}.matches[${j}]`, problems);
      ranked.push({
        rank: rankOf(made),
        draft: { ...shared, route: { ...shared.route, matches: isEmpty(made) ? [] : [made] } },
      });
    });
  });
  return { drafts: inOrder(ranked), problems };
}

export function grpcRoutes(name: string, namespace: string, spec: GrpcRouteSpec): Drafts {
  const problems: FieldProblem[] = [];
  const ranked: Ranked[] = [];
  (spec.rules ?? [{}]).forEach((rule: GrpcRule, i) => {
    const path = `spec.rules[${i}]`;
    const shared = ruleDraft(name, namespace, i, rule, path, problems);
    const matches = rule.matches && rule.matches.length > 0 ? rule.matches : [{}];
    matches.forEach((match, j) => {
      const made: RouteMatch = {};
      const at = `${path}.matches[${j}]`;
      const method = match.method;
      if (method?.service || method?.method) {
        const service = method.service ?? '[^/]+';
        const call = method.method ?? '[^/]+';
        if (method.type === 'RegularExpression' || !method.service || !method.method) {
          const value = `^/(?:${service})/(?:${call})$`;
          if (checkRegex(value, `${at}.method`, problems)) made.path = { kind: 'regex', value };
        } else made.path = { kind: 'exact', value: `/${service}/${call}` };
      }
      addHeaders(made, match.headers, at, problems);
      ranked.push({
        rank: rankOf(made),
        draft: { ...shared, route: { ...shared.route, matches: isEmpty(made) ? [] : [made] } },
      });
    });
  });
  return { drafts: inOrder(ranked), problems };
}

const isEmpty = (match: RouteMatch): boolean => Object.keys(match).length === 0;

/** Exact paths, then longer paths, then a method, then more headers, then more query parameters. */
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

/** A stable sort: what ranks alike stays in the order in which it was written. */
function inOrder(ranked: Ranked[]): RouteDraft[] {
  const compare = (a: Ranked, b: Ranked): number => {
    for (let i = 0; i < a.rank.length; i++) {
      const difference = (b.rank[i] as number) - (a.rank[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  return [...ranked].sort(compare).map((r) => r.draft);
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
  made.headers = headers.map((h, i) => {
    const kind = h.type === 'RegularExpression' ? 'regex' : 'exact';
    if (kind === 'regex') checkRegex(h.value, `${path}.headers[${i}].value`, problems);
    return { name: h.name.toLowerCase(), kind, value: h.value };
  });
}

function ruleDraft(
  name: string,
  namespace: string,
  index: number,
  rule: HttpRule | GrpcRule,
  path: string,
  problems: FieldProblem[],
): RouteDraft {
  const label = rule.name ?? (index === 0 ? name : `${name}-${index + 1}`);
  const draft: RouteDraft = { route: { name: label, matches: [], timeouts: {} }, split: [] };
  (rule.backendRefs ?? []).forEach((ref, i) => {
    const service = serviceRef(ref, namespace, `${path}.backendRefs[${i}]`, problems);
    if (service) draft.split.push({ ...service, weight: ref.weight ?? 1 });
  });
  if (draft.split.length > 0 && draft.split.every((s) => s.weight === 0)) {
    problems.push({
      path: `${path}.backendRefs`,
      message: 'every weight is 0, so nothing would serve',
    });
  }
  (rule.filters ?? []).forEach((filter, i) =>
    applyFilter(draft, filter, namespace, `${path}.filters[${i}]`, problems),
  );
  return draft;
}

function serviceRef(
  ref: BackendRef,
  namespace: string,
  path: string,
  problems: FieldProblem[],
): ServiceRef | undefined {
  if ((ref.kind ?? 'Service') !== 'Service') {
    problems.push({ path: `${path}.kind`, message: `'${ref.kind}' is not Service` });
    return undefined;
  }
  return {
    service: ref.name,
    namespace: ref.namespace ?? namespace,
    ...(ref.port === undefined ? {} : { port: ref.port }),
  };
}

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
    if (ref) draft.mirror = { ...ref, fraction: share };
  } else if (filter.requestRedirect) {
    const { scheme, hostname, port, statusCode, path: to } = filter.requestRedirect;
    const full = to?.replaceFullPath ?? to?.replacePrefixMatch;
    route.redirect = {
      status: (statusCode ?? 302) as 302,
      ...(scheme ? { scheme } : {}),
      ...(hostname ? { host: hostname } : {}),
      ...(port === undefined ? {} : { port }),
      ...(full === undefined ? {} : { path: full }),
    };
  } else if (filter.urlRewrite) {
    const { hostname, path: to } = filter.urlRewrite;
    route.rewrite = {
      ...(hostname ? { host: hostname } : {}),
      ...(to?.replaceFullPath === undefined ? {} : { path: to.replaceFullPath }),
      ...(to?.replacePrefixMatch === undefined ? {} : { prefix: to.replacePrefixMatch }),
    };
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
