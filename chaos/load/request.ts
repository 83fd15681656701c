/**
 * Rules that both drivers share: filling in a request and checking its answer. k6 also runs this module, so it imports
 * neither Node nor k6.
 */

export interface StatusRange {
  from: number;
  to: number;
}

export interface BodyCheck {
  contains?: string;
  excludes?: string;
  /** A regular expression for the first 64 KiB. */
  matches?: string;
  excludesMatch?: string;
}

export interface Expectation {
  statuses?: readonly StatusRange[];
  body?: BodyCheck;
}

/** Maximum number of bytes read of a checked body. */
export const maxBodyBytes = 65_536;

export const defaultStatuses: readonly StatusRange[] = [{ from: 200, to: 399 }];

const placeholder = /\{\{(n|unique|n%([1-9]\d{0,8}))\}\}/g;

/** `{{n}}`: the request's number; `{{n%500}}`: its remainder; `{{unique}}`: a unique word. */
export function fillIn(text: string, n: number, unique: string): string {
  if (!text.includes('{{')) return text;
  return text.replace(placeholder, (_, what: string, modulus: string | undefined) => {
    if (what === 'unique') return unique;
    return String(modulus === undefined ? n : n % Number(modulus));
  });
}

export function fillHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  n: number,
  unique: string,
): Record<string, string> {
  const filled: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {}))
    filled[name] = fillIn(value, n, unique);
  return filled;
}

export const isStatusExpected = (expectation: Expectation | undefined, status: number): boolean =>
  (expectation?.statuses ?? defaultStatuses).some((r) => status >= r.from && status <= r.to);

/** Undefined if the body is as expected, otherwise the reason why it is not. */
export function bodyProblem(check: BodyCheck | undefined, body: string): string | undefined {
  if (!check) return undefined;
  const { contains, excludes, matches, excludesMatch } = check;
  if (contains !== undefined && !body.includes(contains)) return `without '${contains}'`;
  if (excludes !== undefined && body.includes(excludes)) return `with '${excludes}'`;
  if (matches !== undefined && !new RegExp(matches).test(body)) return `no match of ${matches}`;
  if (excludesMatch !== undefined && new RegExp(excludesMatch).test(body)) {
    return `a match of ${excludesMatch}`;
  }
  return undefined;
}

/** The address of a path below the profile's URL. */
export const addressOf = (url: string, path: string): string =>
  `${url.replace(/\/+$/, '')}${path.startsWith('/') ? path : `/${path}`}`;
