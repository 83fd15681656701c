/**
 * Exports a load profile as objects of the k6-operator (k6.io/v1alpha1): a ConfigMap with k6's script, which contains
 * the profile and the thresholds of SLOs, and the TestRun that runs the script in pods. k6 divides the rates among the
 * pods.
 */
import { readFileSync } from 'node:fs';
import { yamlDocuments } from '../../base/yaml-text.js';
import { UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import type { LoadProfile, LoadRoute } from './profile.js';
import type { Threshold } from './thresholds.js';

export interface OperatorOptions {
  /** The name of both objects. */
  name: string;
  namespace: string;
  /** Number of pods among which the load is divided. */
  parallelism: number;
  /** The load's duration in milliseconds. */
  lengthMs: number;
  thresholds: readonly Threshold[];
}

export interface OperatorExport {
  yaml: string;
  /** The parts that k6 does not support, one sentence each. */
  left: string[];
}

/** The API server's size limit for a ConfigMap. */
const maxBytes = 1_048_576;
const file = 'script.js';

/** Throws if a pod could not run the load: a loopback address, a .proto file, more data than a ConfigMap allows. */
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
  return { yaml: yamlDocuments(objects), left };
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

/** k6's script contains its settings in its own text, before its other code: only imports run earlier. */
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

/** The objectives of SLOs on their routes, in the format of k6's thresholds. */
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
  // Checks cover a call's status and a body's contents.
  if (route.grpc || route.expect?.body)
    hold('checks', route, `rate>=${Number((1 - allowed).toFixed(9))}`);
}
