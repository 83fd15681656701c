/** Access to an existing server (a Prometheus, an Alertmanager): its address, a bearer token, and custom TLS. */
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { mostBytes } from './bounded-answer.js';
import { messageOf, UserError } from './errors.js';

export interface Access {
  /** `https://prometheus.example/prefix`, without a trailing slash. */
  url: string;
  /** Sent as `Authorization: Bearer`. */
  bearer?: string;
  /** The header for a user and a password that stood in the address. */
  authorization?: string;
  /** PEM texts of the trusted authorities, and of the client's certificate and key. */
  ca?: string;
  cert?: string;
  key?: string;
  /** Accepts any certificate of the server. */
  insecure?: boolean;
}

/** Access settings in a file or on the command line, with the names of files. */
export interface AccessFiles {
  url: string;
  bearerFile?: string | undefined;
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  insecure?: boolean | undefined;
}

/** Access settings from command-line options, beside an address. */
export type AccessFlags = Omit<AccessFiles, 'url'>;

export const isWebAddress = (text: string): boolean => /^https?:\/\/[^\s/]/.test(text);

/**
 * An address without a trailing slash, and without the user and the password in it, which no message may show: a fetch
 * refuses such an address, and tells it whole. They become a header.
 */
export function splitAddress(address: string): { url: string; authorization?: string } {
  if (!URL.canParse(address)) return { url: address };
  const parsed = new URL(address);
  const { username, password } = parsed;
  parsed.username = '';
  parsed.password = '';
  const url = (username + password === '' ? address : parsed.href).replace(/\/+$/, '');
  if (username + password === '') return { url };
  const pair = [username, password].map(decoded).join(':');
  return { url, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** A `%` that begins no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Reads the files; throws a UserError that names an unreadable one. `what` names the server in errors: `the
 * Prometheus`.
 */
export function readAccess(what: string, files: AccessFiles): Access {
  if (!isWebAddress(files.url) || !URL.canParse(files.url)) {
    throw new UserError({ message: `${what}: ${files.url}`, expected: 'such as http://host:9090' });
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new UserError({ message: `${what}: one of cert and key alone`, expected: 'both' });
  }
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new UserError(`${what}: ${messageOf(error)}`);
    }
  };
  const { bearerFile, ca, cert, key } = files;
  return {
    ...splitAddress(files.url),
    ...(bearerFile !== undefined && { bearer: read(bearerFile).trim() }),
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(key !== undefined && { key: read(key) }),
    ...(files.insecure === true && { insecure: true }),
  };
}

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** A `fetch` with the token and the TLS settings, for text answers within the bound of `bounded-answer.ts`. */
export function fetchWith(access: Access): Fetch {
  const { bearer, ca, cert, key, insecure } = access;
  const authorization = bearer === undefined ? access.authorization : `Bearer ${bearer}`;
  if ([authorization, ca, cert, key, insecure].every((value) => value === undefined)) return fetch;
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(insecure === true && { rejectUnauthorized: false }),
  };
  return (url, init = {}) =>
    new Promise((resolve, reject) => {
      const headers = new Headers(init.headers);
      if (authorization !== undefined) headers.set('authorization', authorization);
      const body = init.body === undefined || init.body === null ? undefined : textOf(init.body);
      if (init.body instanceof URLSearchParams) {
        headers.set('content-type', 'application/x-www-form-urlencoded');
      }
      if (body !== undefined) headers.set('content-length', String(Buffer.byteLength(body)));
      const options = {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(headers),
        ...(init.signal && { signal: init.signal }),
      };
      const asked = url.startsWith('https:')
        ? requestHttps(url, { ...options, ...tls })
        : requestHttp(url, options);
      asked.once('error', (cause) => reject(new TypeError('fetch failed', { cause })));
      asked.once('response', (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > mostBytes) answer.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        answer.once('error', (cause) => reject(new TypeError('fetch failed', { cause })));
        answer.once('end', () => {
          const { statusCode: status = 502, statusMessage: statusText = '' } = answer;
          const none = status === 204 || status === 304;
          resolve(new Response(none ? null : Buffer.concat(chunks), { status, statusText }));
        });
      });
      asked.end(body);
    });
}

function textOf(body: NonNullable<RequestInit['body']>): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new Error('only texts are sent');
}
