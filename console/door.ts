/**
 * Admits viewers. On loopback: the holder of a token that is valid for one visit; the token is exchanged for a
 * session's cookie, and a new token is made for the next viewer. Behind an authenticating reverse proxy: the user
 * that the proxy names in a header, if the request comes from the proxy's own address. A page of another origin, or
 * one that rebinds its name to this address, is refused.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** A browser sends one host's cookies to all of its ports: two consoles need two names. */
const cookieName = (port: number): string => `firedrill-console-${port}`;
/** Enough for a room full of people; a further session ends the oldest. */
const maxSessions = 64;

export interface Behind {
  /** In lower case: the header in which the reverse proxy names the user. */
  userHeader: string;
  /** Addresses from which that header is believed. */
  peers: ReadonlySet<string>;
  /** Scheme, host and port by which browsers know the console. */
  origin: string;
}

export class Door {
  #token = secret();
  readonly #sessions: string[] = [];
  readonly #behind: Behind | undefined;

  constructor(behind?: Behind) {
    this.#behind = behind;
  }

  get token(): string {
    return this.#token;
  }

  /** The cookie of a new session, if the token is the current one. */
  exchange(token: string, port: number): string | undefined {
    if (this.#behind || !same(token, this.#token)) return undefined;
    this.#token = secret();
    const session = secret();
    this.#sessions.push(session);
    if (this.#sessions.length > maxSessions) this.#sessions.shift();
    return `${cookieName(port)}=${session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  admits(request: IncomingMessage, port: number): boolean {
    if (this.#behind) return userOf(request, this.#behind) !== undefined;
    const cookies = (request.headers.cookie ?? '').split(';').map((c) => c.trim().split('='));
    const own = cookies.find(([name]) => name === cookieName(port))?.[1];
    return own !== undefined && this.#sessions.some((session) => same(own, session));
  }

  /** The reason why the request is refused for any sender; undefined: it is acceptable. */
  foreign(request: IncomingMessage, port: number): string | undefined {
    const { host = '', origin } = request.headers;
    if (this.#behind) {
      const peer = peerOf(request);
      if (!this.#behind.peers.has(peer)) return 'only through the reverse proxy';
      // A browser beside the reverse proxy has its address: a page that rebinds its name may set any header.
      const isNear = peer === '::1' || peer.startsWith('127.');
      if (isNear && !isOwnName(host, this.#behind.origin)) return 'not by another name';
      const known = origin === undefined || origin === this.#behind.origin;
      return known ? undefined : 'not from another page';
    }
    // Browsers leave out the port of plain HTTP.
    const end = port === 80 ? '' : `:${port}`;
    const names = [`127.0.0.1${end}`, `localhost${end}`];
    if (!names.includes(host)) return 'not by another name';
    const known = origin === undefined || names.includes(origin.replace(/^http:\/\//, ''));
    return known ? undefined : 'not from another page';
  }
}

function userOf(request: IncomingMessage, { userHeader, peers }: Behind): string | undefined {
  const user = request.headers[userHeader];
  // Two headers of one name are joined by a comma, or an array: it is unknown which one the proxy set.
  if (typeof user !== 'string' || user === '' || user.includes(',')) return undefined;
  return peers.has(peerOf(request)) ? user : undefined;
}

/** An address, `localhost`, or the host of the public URL: names that no foreign page can have. */
function isOwnName(host: string, origin: string): boolean {
  const { host: known, hostname } = new URL(origin);
  const name = host.replace(/:\d+$/, '');
  return [known, hostname, 'localhost'].includes(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}

const peerOf = ({ socket }: IncomingMessage): string =>
  (socket.remoteAddress ?? '').replace(/^::ffff:/, '');

const secret = (): string => randomBytes(24).toString('base64url');

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
