/** A host with an optional port (RFC 3986, 3.2.2 and 3.2.3). An empty authority matches; the caller must refuse it. */
const pattern = /^(?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]+)(?::(\d{0,5}))?)?$/;
let last = '';

export function isHost(text: string): boolean {
  if (text === last) return true;
  const match = pattern.exec(text);
  if (!match || Number(match[1] ?? 0) > 65_535) return false;
  last = text;
  return true;
}
