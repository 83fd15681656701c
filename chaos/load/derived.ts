/** A profile derived from another format: the names of its routes, and its text as a load file. */
import { stringify } from 'yaml';
import type { LoadRoute, LoadTemplate } from './profile.js';
import type { StatusRange } from './request.js';

export interface Derived {
  profile: LoadTemplate;
  /** The omitted requests and the reasons, one sentence each. */
  left: string[];
}

/** Methods that change nothing, so their requests are sent by default. */
export const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
export const maxRoutes = 200;

/** A unique name, such as `get-items-7`. */
export function nameFor(method: string, path: string, taken: ReadonlySet<string>): string {
  const words = path.replace(/[?#].*$/s, '').replace(/[^A-Za-z0-9_.]+/g, '-');
  const base = `${method.toLowerCase()}-${words.replace(/^-+|-+$/g, '')}`
    .replace(/-$/, '')
    .slice(0, 80);
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`;
    if (!taken.has(name)) return name;
  }
}

const rangeText = ({ from, to }: StatusRange): string | number =>
  from === to ? from : `${from}-${to}`;

/** The text that `firedrill load check` reads; `head` becomes comments. */
export function loadFileText(profile: LoadTemplate, head: readonly string[]): string {
  const rate = profile.routes.reduce((sum, r) => sum + r.requestsPerSecond, 0);
  const file = {
    apiVersion: 'firedrill.dev/v1',
    kind: 'Load',
    rate: round(rate),
    timeout: `${profile.timeoutMs}ms`,
    routes: profile.routes.map((route) => routeFields(route, profile.routes)),
  };
  return `${head.map((line) => `# ${line.replace(/[\r\n]+/g, ' ')}\n`).join('')}${stringify(file)}`;
}

function routeFields(route: LoadRoute, all: readonly LoadRoute[]): object {
  const least = Math.min(...all.map((r) => r.requestsPerSecond));
  const weight = round(route.requestsPerSecond / least);
  return {
    name: route.name,
    request: `${route.method} ${route.path}`,
    ...(weight !== 1 && { weight }),
    ...(route.headers && { headers: route.headers }),
    ...(route.body !== undefined && { body: route.body }),
    ...(route.expect?.statuses && { expect: { status: route.expect.statuses.map(rangeText) } }),
  };
}

const round = (value: number): number => Number(value.toPrecision(6));
