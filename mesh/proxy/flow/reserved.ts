/**
 * Header names that only the proxy may set, and other spellings of names that frame a message or belong to one
 * connection (`Transfer_Encoding`). A client's fields under these names are dropped, in every protocol, in heads and in
 * trailers, and with any other mark in place of a dash: servers that make environment variables of fields (CGI, WSGI,
 * PHP) cannot tell underscores from dashes, and some make an underscore of every mark.
 */

/** Whether such a server may take the character for a dash: it is neither a letter nor a digit. */
export const isMark = (code: number): boolean =>
  (code < 48 || code > 57) && ((code | 32) < 97 || (code | 32) > 122);

/** The name with a dash for every other mark: names that such servers cannot tell apart become equal. */
export const dashed = (name: string): string =>
  /[^a-z0-9-]/.test(name) ? name.replace(/[^a-z0-9-]/g, '-') : name;

/** Names that frame a message or belong to one connection. */
export const framingNames: ReadonlySet<string> = new Set(
  'content-length transfer-encoding keep-alive proxy-connection http2-settings'.split(' '),
);

/** The name is in lower case. */
export function isReserved(name: string): boolean {
  const text = dashed(name);
  if (text !== name && framingNames.has(text)) return true;
  return text.startsWith('l5d-') || text.startsWith('x-firedrill-');
}

/** Marks copies of requests (mirrors): the one reserved name that a peer's proxy may send; an app may not. */
export const mirrorHeader = 'x-firedrill-mirror';

/** Between proxies, on a request in HTTP/2: the request came in HTTP/1.1, and its app gets it in HTTP/1.1. */
export const carriedHeader = 'x-firedrill-carried';
/** On its answer: the reason phrase, when it is not the usual one; HTTP/2 has no place for it. */
export const reasonHeader = 'x-firedrill-reason';
export const upgradeHeader = 'x-firedrill-upgrade';

/** A trailer may not change how a message is framed, routed or authorized (RFC 9110, 6.5.1). */
const forbidden = new Set(
  (
    'transfer-encoding content-length content-encoding content-type content-range host connection ' +
    'keep-alive te trailer upgrade expect authorization cookie set-cookie forwarded http2-settings'
  ).split(' '),
);

/** The name is in lower case. */
export function isForbiddenTrailer(name: string): boolean {
  const text = dashed(name);
  return (
    forbidden.has(text) ||
    text.startsWith('proxy-') ||
    text.startsWith('x-forwarded-') ||
    isReserved(text)
  );
}
