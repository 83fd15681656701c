/** Makes a ServiceProfile from a team's existing OpenAPI document or .proto file. */
import { stringify } from 'yaml';
import { UserError } from '../../../base/errors.js';
import { readInput } from '../../../base/input.js';
import { readYaml } from '../../../base/yaml.js';

export interface ProfileRoute {
  name: string;
  condition: { method: string; pathRegex: string };
  isRetryable?: boolean;
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;
/**
 * Methods that are safe to repeat (RFC 9110). PUT and DELETE are idempotent by definition too, but often not in fact.
 */
const repeatable = new Set(['get', 'head', 'options']);

const escape = (text: string): string => text.replace(/[.*+?^$()[\]\\|]/g, '\\$&');

/** Converts `/users/{id}` to `/users/[^/]+`. */
export function pathRegex(template: string): string {
  return template
    .split(/(\{[^}]*\})/)
    .map((part) => (part.startsWith('{') ? '[^/]+' : escape(part)))
    .join('');
}

/** Reads OpenAPI 3 and Swagger 2, YAML or JSON. Paths without parameters come first, since the first match wins. */
export function routesOfOpenApi(file: string): ProfileRoute[] {
  const [document] = readYaml(file);
  const api = document?.value as
    | {
        paths?: Record<string, Record<string, unknown>>;
        basePath?: string;
        servers?: { url: string }[];
      }
    | undefined;
  if (!api?.paths) {
    throw new UserError({
      message: `${file}: no paths`,
      expected: 'an OpenAPI or Swagger document',
    });
  }
  const base = String(api.basePath ?? pathOf(String(api.servers?.[0]?.url ?? ''))).replace(
    /\/$/,
    '',
  );
  const parameters = (path: string): number => path.split('{').length - 1;
  const paths = Object.keys(api.paths).sort(
    (a, b) => parameters(a) - parameters(b) || (a < b ? -1 : 1),
  );
  const elsewhere = paths.find((path) => api.paths?.[path]?.$ref !== undefined);
  if (elsewhere !== undefined) {
    throw new UserError({
      message: `${file}: ${elsewhere} is in another file ($ref)`,
      expected: 'one document with all operations, as a bundler for OpenAPI writes it',
    });
  }
  const routes = paths.flatMap((path) =>
    methods
      .filter((method) => api.paths?.[path]?.[method] !== undefined)
      .map((method) => ({
        name: `${method.toUpperCase()} ${base}${path}`,
        condition: { method: method.toUpperCase(), pathRegex: pathRegex(base + path) },
        ...(repeatable.has(method) ? { isRetryable: true } : {}),
      })),
  );
  if (routes.length === 0) throw new UserError(`${file}: no path has an operation`);
  return routes;
}

/** The host may have variables, such as {region}.example.com, so it is no URL. */
const pathOf = (url: string): string =>
  /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*(.*)$/i.exec(url)?.[1] ?? (url.startsWith('/') ? url : '');

/** Reads every call of every service of a proto3 (or proto2) file. `idempotency_level` marks the repeatable calls. */
export function routesOfProto(file: string): ProfileRoute[] {
  const text = readInput(file);
  // Comments and strings may contain text that looks like a service, and strings such as "/v1/{name=shelves/*}" like
  // the beginning of a comment.
  const bare = text.replace(
    /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    ' ',
  );
  const packageName = /^\s*package\s+([\w.]+)\s*;/m.exec(bare)?.[1];
  const routes: ProfileRoute[] = [];
  for (const service of bare.matchAll(/\bservice\s+(\w+)\s*\{/g)) {
    const body = block(bare, (service.index ?? 0) + service[0].length);
    const full = packageName ? `${packageName}.${service[1]}` : (service[1] as string);
    for (const rpc of body.matchAll(/\brpc\s+(\w+)\s*\([^)]*\)\s*returns\s*\([^)]*\)\s*(\{|;)/g)) {
      const options = rpc[2] === '{' ? block(body, rpc.index + rpc[0].length) : '';
      const safe = /idempotency_level\s*=\s*(NO_SIDE_EFFECTS|IDEMPOTENT)/.test(options);
      routes.push({
        name: `${full}/${rpc[1]}`,
        condition: { method: 'POST', pathRegex: `/${escape(full)}/${rpc[1]}` },
        ...(safe ? { isRetryable: true } : {}),
      });
    }
  }
  if (routes.length === 0)
    throw new UserError({ message: `${file}: no rpc`, expected: 'a service in a .proto file' });
  return routes;
}

/** Returns the text from after an opening brace to the closing one. */
function block(text: string, from: number): string {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return text.slice(from, i);
  }
  return text.slice(from);
}

export function profileYaml(
  service: string,
  namespace: string,
  routes: readonly ProfileRoute[],
): string {
  return stringify(
    {
      apiVersion: 'mesh.firedrill.dev/v1alpha1',
      kind: 'ServiceProfile',
      metadata: { name: `${service}.${namespace}.svc.cluster.local`, namespace },
      spec: { routes },
    },
    { lineWidth: 0 },
  );
}
