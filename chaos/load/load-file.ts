/**
 * A user's load from YAML: `load.yaml`, or the `load:` of a firedrill.yaml; mistakes are reported with file, line and
 * column.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import { UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { checkYaml, type Path, problemsOf, readYaml, type YamlDocument } from '../../base/yaml.js';
import * as z from 'zod';
import { readHar } from './from-har.js';
import { readOpenApi } from './from-openapi.js';
import { inlineLoadSchema, type LoadFile, loadFileSchema } from './load-schema.js';
import type { LocustPlan } from './locust.js';
import type { LoadRoute, LoadTemplate, Stage } from './profile.js';
import type { Expectation } from './request.js';

export type LoadPlan =
  | { kind: 'profile'; profile: LoadTemplate }
  /** The user's own script, which reads the address from `__ENV.BASE_URL`. */
  | { kind: 'k6'; script: string; env: Record<string, string> }
  | LocustPlan
  | { kind: 'existing' };

/** The same load at another address than the profile's own. */
export const sentTo = (plan: LoadPlan, url: string): LoadPlan =>
  plan.kind === 'profile' ? { ...plan, profile: { ...plan.profile, url } } : plan;

/** By the file's extension: `.yaml`, `.yml`, `.json` for a profile, `.js` or `.ts` for k6, `.py` for Locust, `.har`. */
export function readLoad(file: string): LoadPlan {
  if (file === '-') return { kind: 'profile', profile: readProfile(file) };
  if (!existsSync(file) || !statSync(file).isFile()) throw new UserError(`${file}: no such file`);
  const path = resolve(file);
  switch (extname(file).toLowerCase()) {
    case '.js':
    case '.ts':
    case '.mjs':
      return { kind: 'k6', script: path, env: {} };
    case '.py':
      return { kind: 'locust', file: path, users: 10, spawnRate: 10 };
    case '.har':
      return { kind: 'profile', profile: readHar(file).profile };
    default:
      return { kind: 'profile', profile: readProfile(file) };
  }
}

export function readProfile(file: string): LoadTemplate {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not a load`,
      expected: 'one YAML document',
    });
  }
  const value = checkYaml(document, loadFileSchema);
  return templateOf(value, document, [], dirname(file));
}

/** The value at `path` of a parsed firedrill.yaml: a file's name, `existing`, or the load itself. */
export function loadAt(document: YamlDocument, path: Path): LoadPlan {
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<string | number, unknown> | undefined)?.[key],
    document.value,
  );
  const folder = dirname(document.file);
  const result = inlineLoadSchema.safeParse(value);
  if (!result.success) {
    const issues = result.error.issues.map((i) => ({ ...i, path: [...path, ...i.path] }));
    throw new UserError(problemsOf(document, new z.ZodError(issues)));
  }
  const load = result.data;
  const file = (name: string, at: Path): string => {
    const found = isAbsolute(name) ? name : resolve(folder, name);
    if (existsSync(found) && statSync(found).isFile()) return found;
    throw new UserError({
      place: document.placeOf(at),
      message: `no file ${name}`,
      expected: `one below ${folder}`,
    });
  };
  if (load === 'existing') return { kind: 'existing' };
  if (typeof load === 'string') return readLoad(file(load, path));
  if ('profile' in load) {
    const profile = templateOf(load.profile, document, [...path, 'profile'], folder);
    return { kind: 'profile', profile };
  }
  if ('k6' in load) {
    return { kind: 'k6', script: file(load.k6, [...path, 'k6']), env: load.env ?? {} };
  }
  if ('locust' in load) {
    const users = load.users ?? 10;
    const spawnRate = load.spawnRate ?? users;
    return { kind: 'locust', file: file(load.locust, [...path, 'locust']), users, spawnRate };
  }
  const [kind] = 'har' in load ? (['har'] as const) : (['openapi'] as const);
  const name = file('har' in load ? load.har : load.openapi, [...path, kind]);
  const read = kind === 'har' ? readHar(name) : readOpenApi(name);
  return { kind: 'profile', profile: read.profile };
}

/** Checks that the schema cannot make, and adds the defaults. */
export function templateOf(
  given: LoadFile,
  document: YamlDocument,
  path: Path,
  folder: string,
): LoadTemplate {
  const problem = (at: Path, message: string, expected?: string): UserError =>
    new UserError({
      place: document.placeOf([...path, ...at]),
      message,
      ...(expected !== undefined && { expected }),
    });
  const weights = given.routes.filter((r) => r.rate === undefined);
  const fixed = given.routes.reduce((sum, r) => sum + (r.rate ?? 0), 0);
  const rate = given.rate ?? (weights.length > 0 ? fixed + defaultRate : fixed);
  const left = rate - fixed;
  if (weights.length > 0 && left <= 0) {
    const message = `the rates of the routes (${fixed}) leave nothing of rate ${rate} for the others`;
    throw problem(['rate'], message, `more than ${fixed}`);
  }
  if (weights.length === 0 && given.rate !== undefined && Math.abs(left) > 1e-9) {
    throw problem(['rate'], `the routes' own rates add up to ${fixed}`, `${fixed}, or weights`);
  }
  const sum = weights.reduce((all, r) => all + (r.weight ?? 1), 0);
  const names = new Set<string>();
  const routes = given.routes.map((route, i): LoadRoute => {
    if (names.has(route.name)) {
      throw problem(['routes', i, 'name'], `the name '${route.name}' is used twice`);
    }
    names.add(route.name);
    const [method, ...rest] = (route.request ?? '').split(/\s+/);
    const body = route.json === undefined ? route.body : JSON.stringify(route.json);
    const headers = { ...given.headers, ...(route.json !== undefined && json), ...route.headers };
    const expect = expectationOf(route.expect ?? given.expect);
    const { grpc } = route;
    return {
      name: route.name,
      ...(route.service !== undefined && { service: route.service }),
      method: route.method ?? (method === undefined || method === '' ? 'GET' : method),
      path: route.path ?? rest.join(' '),
      requestsPerSecond: route.rate ?? (left * (route.weight ?? 1)) / sum,
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(body !== undefined && { body }),
      ...(expect && { expect }),
      ...(grpc && {
        grpc: {
          method: grpc.method,
          message: grpc.message ?? {},
          ...(grpc.proto !== undefined && { proto: resolve(folder, grpc.proto) }),
        },
      }),
    };
  });
  const stages = given.stages?.map((stage): Stage => ({
    forMs: stage.for,
    factor: stage.rate / rate,
    ramp: stage.ramp ?? false,
  }));
  return {
    ...(given.url !== undefined && { url: given.url }),
    ...(given.host !== undefined && { host: given.host }),
    routes,
    timeoutMs: given.timeout ?? 5000,
    maxInFlight: given.maxInFlight ?? 200,
    ...(stages && { stages }),
  };
}

const defaultRate = 50;
const json = { 'content-type': 'application/json' };

function expectationOf(given: LoadFile['expect']): Expectation | undefined {
  if (!given) return undefined;
  const { contains, excludes, matches, excludesMatch } = given.body ?? {};
  const body = {
    ...(contains !== undefined && { contains }),
    ...(excludes !== undefined && { excludes }),
    ...(matches !== undefined && { matches }),
    ...(excludesMatch !== undefined && { excludesMatch }),
  };
  return {
    ...(given.status && { statuses: given.status }),
    ...(Object.keys(body).length > 0 && { body }),
  };
}
