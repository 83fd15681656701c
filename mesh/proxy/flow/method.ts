/** The methods that may be passed on, and those that may be repeated. */

const common = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'];
const known = new Set(common);
const inOtherCase = new Set(common.map((m) => m.toLowerCase()));

/**
 * A token of at most 32 characters that is not a well-known method in another case. Routes compare methods by case; a
 * lenient server would accept `get` as GET, past every route that names GET.
 */
export function isMethod(text: string): boolean {
  if (known.has(text)) return true;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/.test(text)) return false;
  return !inOtherCase.has(text.toLowerCase());
}

/** Methods that are safe to repeat by RFC 9110, 9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export const isIdempotent = (method: string): boolean => idempotent.has(method);
