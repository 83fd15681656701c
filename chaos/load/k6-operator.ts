/**
 * A load profile as objects of the k6-operator (k6.io/v1alpha1): a ConfigMap with k6's script, which carries the
 * profile and the thresholds of SLOs itself, and the TestRun that runs it in pods. k6 divides the rates among them.
 */
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import type { LoadProfile, LoadRoute } from './profile.js';
import type { Threshold } from './thresholds.js';

export interface OperatorOptions {
  /** Of both objects. */
  name: string;
  namespace: string;
  /** Pods among which the load is divided. */
  parallelism: number;
  /** Of the load, milliseconds. */
  lengthMs: number;
  thresholds: readonly Threshold[];
}

export interface OperatorExport {
  yaml: string;
  /** What could not be said in k6's terms, a sentence each. */
  left: string[];
}

/** Of a ConfigMap, as the API server bounds it. */
const maxBytes = 1_048_576;
const file = 'script.js';

/**
 * Throws where a pod could not run it: an address of loopback, a .proto file, more than a ConfigMap holds.
 */
export function operatorObjects(profile: LoadProfile, options: OperatorOptions): OperatorExport {
  refuseUnreachable(profile);
  const { thresholds, left } = k6Thresholds(profile.routes, options.thresholds);
  const script = selfContained(profile, thresholds, options.lengthMs);
  if (Buffer.byteLength(script) > maxBytes) {
    throw new UserError({
      message: `the script with its profile has ${Buffer.byteLength(script)} bytes`,
      expected: `at most ${maxBytes}, which a ConfigMap holds`,
    });
  }
  const { name, namespace, parallelism } = options;
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'firedrill' } };
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [file]: script } },
    {
      apiVersion: 'k6.io/v1alpha1',
      kind: 'TestRun',
      metadata,
      spec: { parallelism, quiet: 'true', script: { configMap: { name, file } } },
    },
  ];
  return { yaml: objects.map((o) => stringify(o, { lineWidth: 0 })).join('---\n'), left };
}

function refuseUnreachable({ url, routes }: LoadProfile): void {
  const { hostname } = new URL(url);
  if (/^(localhost|127\..*|\[::1\]|0\.0\.0\.0)$/.test(hostname)) {
    throw new UserError({
      message: `${url} is the pod itself where a pod sends the load`,
      expected: '--url http://SERVICE.NAMESPACE:PORT',
    });
  }
  const proto = routes.find((route) => route.grpc?.proto !== undefined);
  if (proto) {
    throw new UserError({
      message: `the route ${proto.name} needs the file ${proto.grpc?.proto}, which no pod has`,
      expected: 'a server with reflection, and no proto',
    });
  }
}

/** k6's script finds all that it is told in its own text: imports are done before anything else of it. */
function selfContained(
  profile: LoadProfile,
  thresholds: Readonly<Record<string, string[]>>,
  lengthMs: number,
): string {
  const told = {
    PROFILE: JSON.stringify(profile),
    THRESHOLDS: JSON.stringify(thresholds),
    DURATION: `${lengthMs}ms`,
  };
  const own = readFileSync(program('chaos/load/k6/script'), 'utf8');
  return `Object.assign(__ENV, ${JSON.stringify(told)});\n${own.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n')}`;
}

const percentOf = (allowed: number): string => `${Number((100 * (1 - allowed)).toFixed(6))}`;

/** The objectives of SLOs on the routes that are held to them, as k6 writes thresholds. */
function k6Thresholds(
  routes: readonly LoadRoute[],
  wanted: readonly Threshold[],
): { thresholds: Record<string, string[]>; left: string[] } {
  const thresholds: Record<string, string[]> = {};
  const left: string[] = [];
  const hold = (metric: string, { name }: LoadRoute, bound: string): void =>
    void (thresholds[`${metric}{name:${name}}`] ??= []).push(bound);
  for (const threshold of wanted) {
    const held = routes.filter((r) => (r.service ?? r.name) === threshold.service);
    if (threshold.unmeasurable !== undefined)
      left.push(`${threshold.name}: ${threshold.unmeasurable}`);
    else if (held.length === 0)
      left.push(`${threshold.name}: no route is held to ${threshold.service}`);
    else for (const route of held) holdRoute(route, threshold, hold);
  }
  return { thresholds, left };
}

function holdRoute(
  route: LoadRoute,
  { allowed, slowerThanMs }: Threshold,
  hold: (metric: string, route: LoadRoute, bound: string) => void,
): void {
  if (slowerThanMs !== undefined) {
    const metric = route.grpc ? 'grpc_req_duration' : 'http_req_duration';
    return hold(metric, route, `p(${percentOf(allowed)})<=${slowerThanMs}`);
  }
  if (!route.grpc) hold('http_req_failed', route, `rate<=${allowed}`);
  // A call's status, and what a body must say, are checks.
  if (route.grpc || route.expect?.body)
    hold('checks', route, `rate>=${Number((1 - allowed).toFixed(9))}`);
}
