/**
 * The path that a request is judged by, which is the one that is sent on: two readings of one path are a way round
 * policy. Where no route looks at paths they pass as they came.
 */

/** A path that could be read otherwise than it is written. */
export interface Judged {
  /** Without the query: what routes match. */
  readonly path: string;
  /** With the query, to send on. */
  readonly sent: string;
  /** Answered 400 with this; empty: fine. */
  readonly problem: string;
}

/** Who looks at paths: nobody; routes; or routes that people are let in by. */
export type Looks = 'nobody' | 'routes' | 'policy';

const suspicious = /\/[./]|[%\\#]/;
const isUnreserved = /^[A-Za-z0-9\-._~]$/;

/**
 * Undefined: the path means what it says. Else it is normalised (RFC 3986, 6.2.2): escapes of unreserved characters
 * decoded, others in upper case, dot segments removed; and several slashes in a row are one. Where a route authorizes,
 * what servers are known to read differently is refused: escaped slashes, backslashes and control characters, dot
 * segments with parameters, escapes that are none.
 */
export function judge(target: string, looks: Looks): Judged | undefined {
  if (!suspicious.test(target)) return undefined;
  const end = target.indexOf('?');
  const path = end < 0 ? target : target.slice(0, end);
  const query = end < 0 ? '' : target.slice(end);
  if (target.includes('#')) return { path, sent: target, problem: 'a # in the request target' };
  if (looks === 'nobody' || path.charCodeAt(0) !== 47) return undefined;
  const problem = looks === 'policy' ? ambiguity(path) : '';
  const normal = withoutDots(decoded(path));
  if (normal === path && problem === '') return undefined;
  return { path: normal, sent: normal + query, problem };
}

function ambiguity(path: string): string {
  if (path.includes('\\')) return 'a backslash in the path';
  const escapes = path.match(/%.{0,2}/g) ?? [];
  if (escapes.some((e) => !/^%[0-9A-Fa-f]{2}$/.test(e)))
    return 'an escape in the path that is none';
  if (escapes.some((e) => /^%(2f|5c)$/i.test(e))) return 'an escaped slash in the path';
  if (escapes.some((e) => /^%([01].|7f)$/i.test(e)))
    return 'an escaped control character in the path';
  const withParameters = decoded(path)
    .split('/')
    .some((s) => /^\.{1,2};/.test(s));
  return withParameters ? 'a dot segment with parameters in the path' : '';
}

function decoded(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16));
    return isUnreserved.test(character) ? character : escape.toUpperCase();
  });
}

/** RFC 3986, 5.2.4, with empty segments left out. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.' && segment !== '') kept.push(segment);
  }
  const last = segments[segments.length - 1] as string;
  const isFolder = last === '' || last === '.' || last === '..';
  return `/${kept.join('/')}${isFolder && kept.length > 0 ? '/' : ''}`;
}
