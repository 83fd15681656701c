/**
 * Converts an OpenAPI 3 or Swagger 2 description to a profile: every operation that can be called with its own
 * examples.
 */
import { UserError } from '../../base/errors.js';
import { readYaml } from '../../base/yaml.js';
import { type Derived, maxRoutes, nameFor, readingMethods } from './derived.js';
import type { LoadRoute } from './profile.js';
import type { StatusRange } from './request.js';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectAt = (value: unknown, key: string): Json => {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : {};
};

const methods = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'];

export function readOpenApi(
  file: string,
  options: { writes?: boolean; rate?: number } = {},
): Derived {
  const [document] = readYaml(file);
  const root = document?.value;
  if (!document || !isObject(root) || !isObject(root.paths)) {
    throw new UserError({
      place: document?.placeOf([]) ?? { file, line: 1, column: 1 },
      message: 'no OpenAPI description',
      expected: 'openapi or swagger, and paths',
    });
  }
  const base = basePathOf(root);
  const left: string[] = [];
  const routes: Omit<LoadRoute, 'requestsPerSecond'>[] = [];
  const names = new Set<string>();
  for (const [path, item] of Object.entries(root.paths)) {
    for (const method of methods) {
      const operation = isObject(item) ? item[method] : undefined;
      if (!isObject(item) || !isObject(operation)) continue;
      const shown = `${method.toUpperCase()} ${path}`;
      if (!readingMethods.has(method.toUpperCase()) && options.writes !== true) {
        left.push(`${shown}: it writes (--writes keeps it)`);
        continue;
      }
      const made = routeOf(root, item, operation, `${base}${path}`);
      if (typeof made === 'string') left.push(`${shown}: ${made}`);
      else if (routes.length >= maxRoutes) left.push(`${shown}: more than ${maxRoutes} routes`);
      else {
        const id = typeof operation.operationId === 'string' ? operation.operationId : '';
        const own = /^[A-Za-z0-9_][\w.-]{0,80}$/.test(id) && !names.has(id);
        const name = own ? id : nameFor(method, path, names);
        names.add(name);
        routes.push({ name, method: method.toUpperCase(), ...made });
      }
    }
  }
  if (routes.length === 0) {
    const expected = 'a GET whose parameters have examples, or --writes';
    const place = document.placeOf(['paths']);
    throw new UserError([
      { place, message: 'no operation can be asked', expected },
      ...left.slice(0, 20).map((message) => ({ message })),
    ]);
  }
  const each = (options.rate ?? 50) / routes.length;
  const all = routes.map((route): LoadRoute => ({ ...route, requestsPerSecond: each }));
  return { profile: { routes: all, timeoutMs: 5000, maxInFlight: 200 }, left };
}

/** The path below which all operations lie: of Swagger's `basePath`, or of the first server's address. */
function basePathOf({ basePath, servers }: Json): string {
  const [server] = listOf(servers);
  const variables = objectAt(server, 'variables');
  const url = isObject(server) && typeof server.url === 'string' ? server.url : '';
  const filled = url.replaceAll(/\{([^}]*)\}/g, (_, name: string) =>
    String(objectAt(variables, name).default ?? ''),
  );
  const { pathname } = new URL(URL.canParse(filled, 'http://x') ? filled : '', 'http://x');
  return (typeof basePath === 'string' ? basePath : pathname).replace(/\/+$/, '');
}

type Made = Pick<LoadRoute, 'path' | 'headers' | 'body' | 'expect'>;

/** The route, or the reason why the operation cannot be called. */
function routeOf(root: Json, item: Json, operation: Json, template: string): Made | string {
  let path = template;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const given of [...listOf(item.parameters), ...listOf(operation.parameters)]) {
    const parameter = resolved(root, given);
    const name = String(parameter.name);
    const value = exampleOf(root, parameter);
    if (value === undefined) {
      if (parameter.required === true || parameter.in === 'path') return `${name} has no example`;
      continue;
    }
    if (parameter.in === 'path') {
      path = path.replaceAll(`{${name}}`, encodeURIComponent(value));
    } else if (parameter.required !== true) continue;
    else if (parameter.in === 'query') query.set(name, value);
    else if (parameter.in === 'header' && !/[\r\n]/.test(value)) headers[name] = value;
    else if (parameter.in === 'cookie') return `the cookie ${name} is needed`;
  }
  if (/[{}\s]/.test(path)) return 'a parameter of its path is not described';
  const body = bodyOf(root, operation);
  if (body === undefined) return 'its body has no example';
  if (body !== '') headers['content-type'] = 'application/json';
  const statuses = statusesOf(operation);
  const search = query.toString();
  return {
    path: search === '' ? path : `${path}?${search}`,
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(body !== '' && { body }),
    ...(statuses.length > 0 && { expect: { statuses } }),
  };
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Follows a reference within the file, up to a limited depth. */
function resolved(root: Json, value: unknown, depth = 0): Json {
  if (!isObject(value)) return {};
  const { $ref } = value;
  if (typeof $ref !== 'string' || !$ref.startsWith('#/') || depth > 20) return value;
  let at: unknown = root;
  for (const key of $ref.slice(2).split('/')) {
    at = isObject(at) ? at[key.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
  }
  return resolved(root, at, depth + 1);
}

function exampleOf(root: Json, parameter: Json): string | undefined {
  const schema = resolved(root, parameter.schema);
  const [first] = Object.values(isObject(parameter.examples) ? parameter.examples : {});
  const candidates = [
    parameter.example,
    resolved(root, first).value,
    schema.example,
    listOf(schema.examples)[0],
    schema.default,
    listOf(schema.enum)[0],
    parameter['x-example'],
    parameter.default,
    listOf(parameter.enum)[0],
  ];
  const value = candidates.find((c) => ['string', 'number', 'boolean'].includes(typeof c));
  return value === undefined ? undefined : String(value);
}

/** `''` if no body is needed; undefined if a body is needed and there is no example. */
function bodyOf(root: Json, operation: Json): string | undefined {
  const body = resolved(root, operation.requestBody);
  if (Object.keys(body).length === 0) return '';
  const media = objectAt(objectAt(body, 'content'), 'application/json');
  const [first] = Object.values(isObject(media.examples) ? media.examples : {});
  const schema = resolved(root, media.schema);
  const example = media.example ?? resolved(root, first).value ?? schema.example;
  if (example !== undefined) return JSON.stringify(example);
  return body.required === true ? undefined : '';
}

function statusesOf(operation: Json): StatusRange[] {
  return Object.keys(objectAt(operation, 'responses')).flatMap((code): StatusRange[] => {
    if (/^[23]XX$/i.test(code)) {
      const from = Number(code[0]) * 100;
      return [{ from, to: from + 99 }];
    }
    return /^[23]\d\d$/.test(code) ? [{ from: Number(code), to: Number(code) }] : [];
  });
}
