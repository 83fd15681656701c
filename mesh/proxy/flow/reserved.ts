/**
 * Header names that only the proxy may set. A client's fields under these names are dropped, in every protocol, in
 * heads and in trailers, and with any other mark in place of a dash: servers that make environment variables of fields
 * (CGI, WSGI, PHP) cannot tell underscores from dashes, and some make an underscore of every mark.
 */

const dashed = (name: string): string => name.replace(/[^a-z0-9-]/g, '-');

/** The name is in lower case. */
export function isReserved(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== 108 /* l */ && first !== 120 /* x */) return false;
  const text = dashed(name);
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
