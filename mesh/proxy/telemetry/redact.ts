/** Hides secrets from people who look at requests. */

const sensitiveName =
  /auth|cookie|token|secret|passw|credential|session|api[-_]?key|signature|jwt/i;
const hidden = '[redacted]';

export const isSensitive = (name: string): boolean => sensitiveName.test(name);

export const redactHeader = (name: string, value: string): string =>
  isSensitive(name) ? hidden : value;

/** An encoded name such as `%74oken` is sensitive too. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The path with the values of sensitive query parameters hidden. */
export function redactPath(path: string): string {
  // HTTP/2 may carry characters that would break a line of text.
  const target = path.replace(/[^\x21-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const query = target.indexOf('?');
  if (query < 0) return target;
  const parts = target
    .slice(query + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 0 || !sensitiveName.test(decoded(pair.slice(0, equals)))) return pair;
      return `${pair.slice(0, equals + 1)}${hidden}`;
    });
  return `${target.slice(0, query + 1)}${parts.join('&')}`;
}
