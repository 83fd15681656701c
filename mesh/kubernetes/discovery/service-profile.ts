/** Converts a ServiceProfile, in the format that Linkerd's users know, to routes. */
import type { Route, RouteMatch } from '../../model.js';
import {
  checkRegex,
  type Drafts,
  type FieldProblem,
  parseAuthority,
  readDuration,
  retryPolicy,
  type RouteDraft,
} from './route-parts.js';
import { defaultBudget } from '../../schema/route.js';
import { setNamed } from './named-fields.js';
import type { ProfileCondition, ServiceProfileSpec } from './specs.js';

export function profileRoutes(spec: ServiceProfileSpec, namespace: string): Drafts {
  const problems: FieldProblem[] = [];
  const retryBudget = budgetOf(spec, problems);
  const split = (spec.dstOverrides ?? []).map((o) => ({
    ...parseAuthority(o.authority, namespace),
    weight: o.weight,
  }));
  if (split.length > 0 && split.every((s) => s.weight === 0)) {
    problems.push({
      path: 'spec.dstOverrides',
      message: 'every weight is 0, so nothing would serve',
    });
  }
  const names = new Set<string>();
  const drafts = (spec.routes ?? []).flatMap((route, i): RouteDraft[] => {
    const path = `spec.routes[${i}]`;
    if (names.has(route.name)) {
      problems.push({ path: `${path}.name`, message: `a second route called '${route.name}'` });
    }
    names.add(route.name);
    const made: RouteDraft['route'] = { name: route.name, matches: [], timeouts: {} };
    const at = (named: string): string => `${path}.${named}`;
    setNamed(made, 'profile', (named) => route[named], at, problems);
    const { requestMs, perTryMs } = made.timeouts;
    if (requestMs !== undefined && perTryMs !== undefined && perTryMs > requestMs) {
      problems.push({ path: `${path}.perTryTimeout`, message: "longer than the route's timeout" });
    }
    const failure = failureOf(route.responseClasses, path, problems);
    if (failure) made.failure = failure;
    const before = problems.length;
    made.matches = conditionMatches(route.condition, `${path}.condition`, problems);
    // A condition without its invalid part would match too much.
    if (problems.length > before) return [];
    if (route.isRetryable) {
      // `isRetryable` is the service's own declaration that a repeat is safe, for any method.
      made.retry = retryPolicy({
        unsafeMethods: true,
        budget: retryBudget ?? defaultBudget,
        ...(failure ? { statuses: failure.statuses } : {}),
      });
    }
    return [{ route: made, split }];
  });
  if (split.length > 0) {
    drafts.push({ route: { name: 'default', matches: [], timeouts: {} }, split });
  }
  return { drafts, problems, ...(retryBudget ? { retryBudget } : {}) };
}

function budgetOf(spec: ServiceProfileSpec, problems: FieldProblem[]) {
  if (!spec.retryBudget) return undefined;
  const { retryRatio, minRetriesPerSecond, ttl } = spec.retryBudget;
  const ttlMs = readDuration(ttl, 'spec.retryBudget.ttl', problems) ?? 10_000;
  if (ttlMs < 1000 || ttlMs > 60_000) {
    problems.push({ path: 'spec.retryBudget.ttl', message: `${ttl} is not between 1s and 60s` });
  }
  return { ratio: retryRatio, minRetriesPerSecond, ttlSeconds: ttlMs / 1000 };
}

/** The first class that a status belongs to decides; without one, 500 to 599 are failures. A missing bound is open. */
function failureOf(
  classes: NonNullable<ServiceProfileSpec['routes']>[number]['responseClasses'] = [],
  path: string,
  problems: FieldProblem[],
): NonNullable<Route['failure']> | undefined {
  classes.forEach(({ condition: { status } }, i) => {
    if (status?.min !== undefined || status?.max !== undefined) return;
    const message = 'only status with min or max is supported';
    problems.push({ path: `${path}.responseClasses[${i}].condition`, message });
  });
  if (classes.length === 0) return undefined;
  const isFailure = (code: number): boolean => {
    const first = classes.find(({ condition: { status } }) => {
      const { min, max } = status ?? {};
      if (min === undefined && max === undefined) return false;
      return code >= (min ?? 100) && code <= (max ?? 599);
    });
    return first ? first.isFailure === true : code >= 500;
  };
  const statuses: [number, number][] = [];
  for (let code = 100; code <= 599; code++) {
    if (!isFailure(code)) continue;
    const last = statuses[statuses.length - 1];
    if (last?.[1] === code - 1) last[1] = code;
    else statuses.push([code, code]);
  }
  return { statuses };
}

/** Converts a condition to alternatives (disjunctive form): `any` adds, `all` multiplies. The model has no `not`. */
function conditionMatches(
  condition: ProfileCondition,
  path: string,
  problems: FieldProblem[],
): RouteMatch[] {
  if (condition.not) {
    problems.push({
      path: `${path}.not`,
      message: 'not is not supported: order the routes instead',
    });
    return [];
  }
  const own: RouteMatch = {};
  if (condition.method) own.method = condition.method.toUpperCase();
  if (condition.pathRegex !== undefined) {
    if (checkRegex(condition.pathRegex, `${path}.pathRegex`, problems)) {
      // Linkerd's expressions are anchored at both ends.
      own.path = { kind: 'regex', value: `^(?:${condition.pathRegex})$` };
    }
  }
  let matches: RouteMatch[] = [own];
  (condition.all ?? []).forEach((part, i) => {
    const alternatives = conditionMatches(part, `${path}.all[${i}]`, problems);
    matches = matches.flatMap((m) =>
      alternatives.map((a) => both(m, a, `${path}.all[${i}]`, problems)),
    );
  });
  if (condition.any) {
    const alternatives = condition.any.flatMap((part, i) =>
      conditionMatches(part, `${path}.any[${i}]`, problems),
    );
    matches = matches.flatMap((m) => alternatives.map((a) => both(m, a, `${path}.any`, problems)));
  }
  return matches;
}

function both(a: RouteMatch, b: RouteMatch, path: string, problems: FieldProblem[]): RouteMatch {
  if ((a.method && b.method && a.method !== b.method) || (a.path && b.path)) {
    problems.push({ path, message: 'two methods or two paths that must both match never do' });
  }
  return { ...a, ...b };
}
