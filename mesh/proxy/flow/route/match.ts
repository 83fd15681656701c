/** The requests that a route takes: the model's matches, with their patterns compiled once. */
import type { Route, RouteMatch } from '../../../model.js';
import { Pattern } from '../../../pattern/pattern.js';
import type { RequestInfo } from '../contract.js';
import { preflightMethod } from './cors.js';

/** The path without the query. */
export function pathOf(target: string): string {
  const end = target.indexOf('?');
  return end < 0 ? target : target.slice(0, end);
}

/** Whether a route depends on the path. */
export const looksAtPath = ({ matches }: Pick<Route, 'matches'>): boolean =>
  matches.some((m) => m.path !== undefined);

interface FieldMatcher {
  name: string;
  exact: string | undefined;
  regex: Pattern | undefined;
}

/** One alternative: all of its conditions must hold. */
class Alternative {
  readonly #method: string | undefined;
  readonly #exact: string | undefined;
  readonly #prefix: string | undefined;
  readonly #regex: Pattern | undefined;
  readonly #headers: readonly FieldMatcher[];
  readonly #query: readonly FieldMatcher[];

  /** A preflight is matched by the method that it asks for. */
  readonly #takesPreflights: boolean;

  constructor({ method, path, headers = [], query = [] }: RouteMatch, takesPreflights: boolean) {
    this.#takesPreflights = takesPreflights;
    this.#method = method;
    if (path?.kind === 'exact') this.#exact = path.value;
    // By whole segments: /cart takes /cart and /cart/1, and not /cartoon.
    if (path?.kind === 'prefix') this.#prefix = path.value.replace(/\/+$/, '');
    if (path?.kind === 'regex') this.#regex = new Pattern(path.value);
    this.#headers = headers.map((h) => fieldMatcher(h.name.toLowerCase(), h.kind, h.value));
    this.#query = query.map((q) => fieldMatcher(q.name, q.kind, q.value));
  }

  matches(request: RequestInfo, path: string): boolean {
    if (this.#method !== undefined && this.#method !== request.method) {
      if (!this.#takesPreflights || preflightMethod(request) !== this.#method) return false;
    }
    if (this.#exact !== undefined && this.#exact !== path) return false;
    if (this.#prefix !== undefined && !hasPrefix(path, this.#prefix)) return false;
    if (this.#regex !== undefined && !this.#regex.test(path)) return false;
    for (const field of this.#headers) {
      if (!fieldMatches(field, request.header(field.name))) return false;
    }
    return this.#query.length === 0 || this.#queryMatches(request.path);
  }

  /**
   * The length of the matched prefix, for rewriting; undefined: not matched by prefix. Without a path the prefix is
   * `/`, as in the Gateway API.
   */
  get prefixLength(): number | undefined {
    if (this.#prefix !== undefined) return this.#prefix.length;
    return this.#exact === undefined && this.#regex === undefined ? 0 : undefined;
  }

  #queryMatches(target: string): boolean {
    const query = new URLSearchParams(target.slice(pathOf(target).length + 1));
    return this.#query.every((f) => fieldMatches(f, query.get(f.name) ?? undefined));
  }
}

export class RouteMatcher {
  readonly #alternatives: readonly Alternative[];
  /** Matches everything. */
  readonly always: boolean;

  /** Throws on an invalid pattern. */
  constructor(route: Pick<Route, 'name' | 'matches' | 'cors'>) {
    this.#alternatives = route.matches.map((m) => new Alternative(m, route.cors !== undefined));
    this.always = route.matches.length === 0;
  }

  matches(request: RequestInfo, path: string): boolean {
    if (this.always) return true;
    for (let i = 0; i < this.#alternatives.length; i++) {
      if ((this.#alternatives[i] as Alternative).matches(request, path)) return true;
    }
    return false;
  }

  /** The prefix length of the first alternative that takes this request; `OPTIONS *` has none. */
  prefixLength(request: RequestInfo, path: string): number | undefined {
    if (!path.startsWith('/')) return undefined;
    if (this.always) return 0;
    return this.#alternatives.find((a) => a.matches(request, path))?.prefixLength;
  }
}

function hasPrefix(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

function fieldMatcher(name: string, kind: string, value: string | undefined): FieldMatcher {
  return {
    name,
    exact: kind === 'exact' ? (value ?? '') : undefined,
    regex: kind === 'regex' ? new Pattern(value ?? '') : undefined,
  };
}

function fieldMatches({ exact, regex }: FieldMatcher, value: string | undefined): boolean {
  if (value === undefined) return false;
  if (exact !== undefined) return value === exact;
  return regex === undefined || regex.test(value);
}
