/**
 * Cross-origin requests of browsers: the Gateway API's CORS filter, by the rules of the Fetch standard. The origin, and
 * for `*` the method and the headers that were asked for, are echoed: with credentials `*` would not count.
 */
import type { Route } from '../../../model.js';
import type { HeaderEdits, HeaderList, RequestInfo } from '../contract.js';

type Policy = NonNullable<Route['cors']>;

const allowOrigin = 'access-control-allow-origin';
const allowCredentials = 'access-control-allow-credentials';

export class Cors {
  readonly #policy: Policy;
  /** The changes of the last answer: those of one origin and one share are the same. */
  #last:
    { origin: string | undefined; own: HeaderEdits | undefined; edits: HeaderEdits } | undefined;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** The fields of the answer to a preflight; undefined: the request is none. */
  preflight(request: RequestInfo): HeaderList | undefined {
    const origin = request.header('origin');
    const asked = preflightMethod(request);
    if (origin === undefined || asked === undefined) return undefined;
    const vary = ['vary', 'origin, access-control-request-method, access-control-request-headers'];
    if (!this.#allows(origin)) return vary;
    const { allowMethods, allowHeaders, maxAgeSeconds } = this.#policy;
    const headers = request.header('access-control-request-headers');
    return [
      ...this.#shared(origin).flat(),
      ...listed('access-control-allow-methods', allowMethods, asked),
      ...listed('access-control-allow-headers', allowHeaders, headers),
      'access-control-max-age',
      String(Math.floor(maxAgeSeconds)),
      ...vary,
    ];
  }

  /** The changes of an answer, after the route's own. */
  edits(request: RequestInfo, own: HeaderEdits | undefined): HeaderEdits {
    const origin = request.header('origin');
    const last = this.#last;
    if (last && last.origin === origin && last.own === own) return last.edits;
    const set = origin !== undefined && this.#allows(origin) ? this.#shared(origin) : [];
    const { exposeHeaders, allowCredentials: isCredentialed } = this.#policy;
    if (set.length > 0) {
      const names = isCredentialed ? exposeHeaders?.filter((n) => n !== '*') : exposeHeaders;
      if (names?.length) set.push(['access-control-expose-headers', names.join(', ')]);
    }
    // The route's policy holds, and not the app's.
    const gone = [allowOrigin, allowCredentials, 'access-control-expose-headers'];
    const edits = {
      ...own,
      remove: [...(own?.remove ?? []), ...gone],
      set: [...(own?.set ?? []).filter(([name]) => !gone.includes(name)), ...set],
      add: [...(own?.add ?? []), ['vary', 'origin'] as const],
    };
    this.#last = { origin, own, edits };
    return edits;
  }

  #shared(origin: string): [string, string][] {
    const set: [string, string][] = [[allowOrigin, origin]];
    if (this.#policy.allowCredentials) set.push([allowCredentials, 'true']);
    return set;
  }

  #allows(origin: string): boolean {
    return (this.#policy.allowOrigins ?? []).some((allowed) => fits(allowed, origin.toLowerCase()));
  }
}

/** The method that a browser asks for before it sends the request; undefined: the request is no preflight. */
export const preflightMethod = (request: RequestInfo): string | undefined =>
  request.method === 'OPTIONS' ? request.header('access-control-request-method') : undefined;

/** `*` in a host stands for any number of labels; a browser leaves the usual port out. */
function fits(allowed: string, origin: string): boolean {
  if (allowed === '*') return true;
  const text = allowed.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2');
  const [before = '', after] = text.split('*');
  if (after === undefined) return origin === text;
  const labels = origin.slice(before.length, origin.length - after.length);
  return origin === before + labels + after && /^[^:/]+$/.test(labels);
}

function listed(name: string, allowed: readonly string[] = [], asked: string | undefined) {
  const value = allowed.includes('*') ? asked : allowed.join(', ');
  return value ? [name, value] : [];
}
