/**
 * Who may look: the holder of a token that is good for one visit. It is exchanged for a session's cookie, and a new one
 * is made for the next viewer. A page of another origin, or one that rebinds its name to 127.0.0.1, gets nothing.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const cookieName = 'firedrill-console';
/** A room full of people; the oldest session ends where one more comes. */
const maxSessions = 64;

export class Door {
  #token = secret();
  readonly #sessions: string[] = [];

  get token(): string {
    return this.#token;
  }

  /** The cookie of a new session, where the token is the present one. */
  exchange(token: string): string | undefined {
    if (!same(token, this.#token)) return undefined;
    this.#token = secret();
    const session = secret();
    this.#sessions.push(session);
    if (this.#sessions.length > maxSessions) this.#sessions.shift();
    return `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  admits(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((c) => c.trim().split('='));
    const own = cookies.find(([name]) => name === cookieName)?.[1];
    return own !== undefined && this.#sessions.some((session) => same(own, session));
  }
}

/** Why the request is none of ours, whoever sends it; undefined: it is. */
export function isForeign(request: IncomingMessage, port: number): boolean {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  const { host = '', origin } = request.headers;
  if (!names.includes(host)) return true;
  return origin !== undefined && !names.includes(origin.replace(/^http:\/\//, ''));
}

const secret = (): string => randomBytes(24).toString('base64url');

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
