/**
 * Converts a session that a browser recorded (HAR 1.2) to a profile: its requests in their shares, without its secrets.
 */
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { checkYaml, readYaml } from '../../base/yaml.js';
import { type Derived, maxRoutes, nameFor, readingMethods } from './derived.js';
import type { LoadRoute } from './profile.js';

const entry = z.object({
  request: z.object({
    method: z.string({ error: 'expected a method' }),
    url: z.string({ error: 'expected an address' }),
    headers: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
    postData: z
      .object({ mimeType: z.string().default(''), text: z.string().optional() })
      .optional(),
  }),
  response: z.object({ status: z.number() }).optional(),
});
const harSchema = z.object({
  log: z.object(
    { entries: z.array(entry, { error: 'expected a list of entries' }).max(100_000) },
    { error: 'expected log, as a HAR file has it' },
  ),
});

/** Cookies, tokens and headers that only browsers send are left out. */
const secretField =
  /(?:^|[?&"'])[\w.-]*(?:token|secret|passw|api.?key|signature|credential)[\w.-]*["']?\s*[=:]/i;
const keptHeaders = new Set(['accept', 'accept-language', 'content-type', 'x-requested-with']);

interface Seen {
  route: Omit<LoadRoute, 'name' | 'requestsPerSecond'>;
  /** Of its answers, in order. */
  statuses: number[];
  count: number;
}

export function readHar(file: string, options: { writes?: boolean; rate?: number } = {}): Derived {
  const [document] = readYaml(file);
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'a HAR file' });
  const { entries } = checkYaml(document, harSchema).log;
  const left: string[] = [];
  const origins = countBy(entries.map((e) => originOf(e.request.url)).filter((o) => o !== ''));
  const [main, ...others] = [...origins].sort((a, b) => b[1] - a[1]);
  if (!main)
    throw new UserError({ message: `${file}: no request over HTTP`, expected: 'one at least' });
  for (const [origin, count] of others) left.push(`${count} requests to ${origin}: another origin`);
  const seen = new Map<string, Seen>();
  const writes = new Map<string, number>();
  for (const { request, response } of entries) {
    if (originOf(request.url) !== main[0]) continue;
    const method = request.method.toUpperCase();
    const { pathname, search } = new URL(request.url);
    const path = `${pathname}${search}`;
    if (!readingMethods.has(method) && options.writes !== true) {
      const key = `${method} ${pathname}`;
      writes.set(key, (writes.get(key) ?? 0) + 1);
      continue;
    }
    const secret = [search, request.postData?.text ?? ''].find((text) => secretField.test(text));
    if (secret !== undefined) {
      const where = secret === search ? 'address' : 'body';
      left.push(`${method} ${pathname}: its ${where} holds a credential`);
      continue;
    }
    const key = `${method} ${path} ${request.postData?.text ?? ''}`;
    const known = seen.get(key);
    if (!known) seen.set(key, { route: routeOf(method, path, request), statuses: [], count: 0 });
    const one = known ?? (seen.get(key) as Seen);
    one.count++;
    one.statuses.push(response?.status ?? 200);
  }
  for (const { route, statuses } of seen.values()) {
    const [from = 200] = statuses;
    // A refusal that always came is meant; a fault of the server, or one answer of several, is not.
    const isMeant = from >= 400 && from < 500 && statuses.every((status) => status === from);
    if (isMeant) route.expect = { statuses: [{ from, to: from }] };
    const failed = statuses.find((status) => status >= 400);
    if (isMeant || failed === undefined) continue;
    left.push(`the answer ${failed} of ${route.method} ${route.path}: a failure is not expected`);
  }
  for (const [key, count] of writes) left.push(`${count} × ${key}: it writes (--writes keeps it)`);
  const kept = [...seen.values()].sort((a, b) => b.count - a.count);
  for (const { route } of kept.splice(maxRoutes)) {
    left.push(`${route.method} ${route.path}: more than ${maxRoutes} routes`);
  }
  if (kept.length === 0) {
    const expected = 'a GET, or --writes';
    throw new UserError({ message: `${file}: nothing is left of ${main[0]}`, expected });
  }
  return { profile: profileOf(kept, options.rate ?? 50), left };
}

function routeOf(
  method: string,
  path: string,
  request: z.output<typeof entry>['request'],
): Seen['route'] {
  const headers: Record<string, string> = {};
  for (const { name, value } of request.headers) {
    if (keptHeaders.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  }
  const text = request.postData?.text;
  return {
    method,
    path,
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(text !== undefined && { body: text }),
  };
}

function profileOf(seen: readonly Seen[], rate: number): Derived['profile'] {
  const all = seen.reduce((sum, s) => sum + s.count, 0);
  const names = new Set<string>();
  const routes = seen.map(({ route, count }): LoadRoute => {
    const name = nameFor(route.method, route.path, names);
    names.add(name);
    return { name, ...route, requestsPerSecond: (rate * count) / all };
  });
  return { routes, timeoutMs: 5000, maxInFlight: 200 };
}

function originOf(url: string): string {
  if (!/^https?:/.test(url) || !URL.canParse(url)) return '';
  return new URL(url).origin;
}

function countBy(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
