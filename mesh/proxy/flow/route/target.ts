/**
 * The path that a request is judged by is also the path that is sent on: two readings of one path would be a way
 * around policy. If no route looks at paths, they pass unchanged.
 */

/** A path that could be read in more than one way. */
export interface Judged {
  /** The path without the query, as routes match it. */
  readonly path: string;
  /** The target to send on, with the query. */
  readonly sent: string;
  /** The request is answered 400 with this text; empty: the path is fine. */
  readonly problem: string;
  /** The path as some servers read it; undefined: no differently. */
  readonly other?: string | undefined;
}

/** The users of the path: none (`nobody`), routes, or routes with authorization. */
export type Looks = 'nobody' | 'routes' | 'policy';

const suspicious = /\/[./]|[%\\#;]/;
const isUnreserved = /^[A-Za-z0-9\-._~]$/;

/**
 * Undefined: the path has one reading. Otherwise it is normalised (RFC 3986, 6.2.2): escapes of unreserved characters
 * are decoded, others put in upper case, dot segments removed, and several slashes in a row become one. If a route
 * authorizes, paths that servers are known to read differently are refused: escaped slashes, backslashes and control
 * characters, dot segments with parameters, and invalid escapes.
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
  const other = looks === 'policy' ? otherReading(normal) : normal;
  if (normal === path && problem === '' && other === normal) return undefined;
  const judged = { path: normal, sent: normal + query, problem };
  return other === normal ? judged : { ...judged, other };
}

function ambiguity(path: string): string {
  if (path.includes('\\')) return 'a backslash in the path';
  const escapes = path.match(/%.{0,2}/g) ?? [];
  if (escapes.some((e) => !/^%[0-9A-Fa-f]{2}$/.test(e))) return 'an invalid escape in the path';
  if (escapes.some((e) => /^%(2f|5c|c[01])$/i.test(e))) return 'an escaped slash in the path';
  if (escapes.some((e) => /^%([01].|7f)$/i.test(e)))
    return 'an escaped control character in the path';
  const withParameters = decoded(path)
    .split('/')
    .some((s) => /^\.{1,2};/.test(s));
  return withParameters ? 'a dot segment with parameters in the path' : '';
}

/** Servlets take parameters (`;a=b`) off each segment; some servers decode escapes twice. */
function otherReading(path: string): string {
  if (!path.includes(';') && !/%(25|3B)/.test(path)) return path;
  const twice = decoded(path.replace(/%25(?=[0-9A-Fa-f]{2})/g, '%'));
  const plain = twice.replace(/%(2F|5C)/g, '/').replace(/(?:;|%3B)[^/]*/g, '');
  return withoutDots(plain);
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
