/** Learns routes from observed requests: segments that vary become parameters, and each resulting path is a route. */
import { pathRegex, type ProfileRoute } from './profile.js';

/** A node of the tree of paths, a level for each segment. */
interface Segment {
  children: Map<string, Segment>;
  /** The number of requests that ended at this node, by method. */
  methods: Map<string, number>;
}

export interface LearntRoute {
  route: ProfileRoute;
  /** The number of requests that the route was seen with. */
  requests: number;
}

/** More distinct values than this at one position are values of a parameter. */
const maxValues = 20;
/** The largest number of kept paths: clients that invent paths must not fill our memory. */
const maxPaths = 5000;
const parameter = '{}';
/** Digits, a UUID, a hash, or a long word with digits is a value, never a name. */
const isValue = (text: string): boolean =>
  /^\d+$/.test(text) ||
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text) ||
  /^[0-9a-f]{12,}$/i.test(text) ||
  (text.length >= 16 && /\d/.test(text) && /^[\w-]+$/.test(text));
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS']);

const segment = (): Segment => ({ children: new Map(), methods: new Map() });

export class RouteLearner {
  readonly #root = segment();
  #paths = 0;
  seen = 0;

  /** `path` may include its query. */
  see(method: string, path: string): void {
    this.seen++;
    let at = this.#root;
    for (const text of bare(path)) {
      const key = isValue(text) ? parameter : text;
      let next = at.children.get(key);
      if (!next) {
        if (this.#paths >= maxPaths) return;
        this.#paths++;
        at.children.set(key, (next = segment()));
      }
      at = next;
    }
    at.methods.set(method, (at.methods.get(method) ?? 0) + 1);
  }

  /** Returns exact paths before those with parameters, since the first match wins; then the busiest first. */
  routes(): LearntRoute[] {
    const found: { parts: string[]; method: string; requests: number }[] = [];
    const walk = (node: Segment, parts: string[]): void => {
      for (const [method, requests] of node.methods) found.push({ parts, method, requests });
      for (const [text, child] of folded(node).children) walk(child, [...parts, text]);
    };
    walk(this.#root, []);
    const parameters = (parts: string[]): number => parts.filter((p) => p === parameter).length;
    found.sort((a, b) => parameters(a.parts) - parameters(b.parts) || b.requests - a.requests);
    return found.map(({ parts, method, requests }) => {
      const template = `/${parts.map((p) => (p === parameter ? '{id}' : p)).join('/')}`;
      const route: ProfileRoute = {
        name: `${method} ${template}`,
        condition: { method, pathRegex: pathRegex(template) },
        ...(repeatable.has(method) ? { isRetryable: true } : {}),
      };
      return { route, requests };
    });
  }
}

/** Returns the segments, without the query; an empty last one is a slash at the end, which makes another path. */
function bare(path: string): string[] {
  const text = (path.split(/[?#]/)[0] ?? '').replace(/^\//, '');
  return text === '' ? [] : text.split('/');
}

/** Merges all children into one parameter if there are more than `maxValues`. */
function folded(node: Segment): Segment {
  if (node.children.size <= maxValues) return node;
  const one = segment();
  for (const child of node.children.values()) merge(one, child);
  return { children: new Map([[parameter, one]]), methods: node.methods };
}

function merge(into: Segment, from: Segment): void {
  for (const [method, n] of from.methods)
    into.methods.set(method, (into.methods.get(method) ?? 0) + n);
  for (const [text, child] of from.children) {
    const at = into.children.get(text) ?? segment();
    into.children.set(text, at);
    merge(at, child);
  }
}

/** Reads a proxy's tap, one JSON line each; requests that no route of the app answered (404, 405, 501) are ignored. */
export class TapReader {
  readonly #learner: RouteLearner;
  readonly #open = new Map<string, { method: string; path: string }>();

  constructor(learner: RouteLearner) {
    this.#learner = learner;
  }

  line(text: string): void {
    let event: { event?: string; id?: string; method?: string; path?: string; status?: number };
    try {
      event = JSON.parse(text) as typeof event;
    } catch {
      return;
    }
    const { id = '', method, path } = event;
    if (event.event === 'req' && method !== undefined && path !== undefined) {
      // Requests without an end must not accumulate.
      if (this.#open.size < maxPaths) this.#open.set(id, { method, path });
      return;
    }
    const request = this.#open.get(id);
    if (event.event !== 'end' || !request) return;
    this.#open.delete(id);
    if (![404, 405, 501].includes(event.status ?? 0))
      this.#learner.see(request.method, request.path);
  }
}
