/** Methods that may be passed on. */

const common = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'];
const known = new Set(common);
const inOtherCase = new Set(common.map((m) => m.toLowerCase()));

/**
 * A token of at most 32 characters that is no well-known method in another case: methods are compared by case, and a
 * server that is lenient about it would do what no route that names the method has judged.
 */
export function isMethod(text: string): boolean {
  if (known.has(text)) return true;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/.test(text)) return false;
  return !inOtherCase.has(text.toLowerCase());
}
