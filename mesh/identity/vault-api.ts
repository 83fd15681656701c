/**
 * The few calls of Vault's HTTP API that an issuer needs. The token comes from a file, read again for each call, as
 * agents replace it; or from Vault itself, to which a pod shows its service account's token (the auth method
 * `kubernetes`).
 */
import { existsSync, readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';

const maxAnswerBytes = 1024 * 1024;

export interface VaultConnection {
  /** `https://vault:8200`; plain http is accepted for loopback only, where no other machine can read the token. */
  address: string;
  /** Absent: `login`. */
  tokenFile?: string | undefined;
  login?: VaultLogin | undefined;
  /** Absent, or no such file: the anchors that the system trusts. */
  caFile?: string | undefined;
}

export interface VaultLogin {
  /** Where the auth method `kubernetes` is enabled, such as `kubernetes`. */
  mount: string;
  role: string;
  /** The service account's token. */
  jwtFile: string;
}

/** Vault refused, or did not answer (`status` 0). */
class VaultError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'VaultError';
    this.status = status;
  }
}

interface Given {
  token: string;
  untilMs: number;
}

/** A token is replaced after this share of its life. */
const renewedAfter = 2 / 3;

export class VaultApi {
  readonly #connection: VaultConnection;
  readonly #clock: Clock;
  readonly #limitMs: number;
  #given: Promise<Given> | undefined;

  /** `limitMs` holds for each exchange. */
  constructor(connection: VaultConnection, clock: Clock, limitMs = 10_000) {
    this.#limitMs = limitMs;
    this.#clock = clock;
    const { protocol, hostname } = new URL(connection.address);
    const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
    if (protocol !== 'https:' && !(protocol === 'http:' && loopback)) {
      throw new VaultError(0, `${connection.address}: https is needed beyond loopback`);
    }
    this.#connection = connection;
  }

  /** The answer's `data`. Rejects with a VaultError; no message contains the token. */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<VaultData> {
    const text = await this.#ask(method, path, body === undefined ? '' : JSON.stringify(body));
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new VaultError(0, `${path}: the answer is not JSON`);
    }
    const data = (answer as { data?: unknown }).data;
    if (typeof data !== 'object' || data === null) {
      throw new VaultError(0, `${path}: the answer has no data`);
    }
    return data as VaultData;
  }

  /** A PEM answer, for example of `pki/ca_chain`. */
  text(path: string): Promise<string> {
    return this.#ask('GET', path, '');
  }

  async #ask(method: string, path: string, body: string): Promise<string> {
    const { tokenFile, login } = this.#connection;
    if (tokenFile !== undefined)
      return this.#send(method, path, body, readFileSync(tokenFile, 'utf8').trim());
    if (!login) throw new VaultError(0, 'neither a token file nor a login is configured');
    const given = this.#given;
    const held = await given?.catch(() => undefined);
    if (held && this.#clock.monotonicMs() < held.untilMs) {
      try {
        return await this.#send(method, path, body, held.token);
      } catch (error) {
        // A token that Vault gave earlier may have been revoked since.
        if (!(error instanceof VaultError) || error.status !== 403) throw error;
      }
    }
    // Calls at the same time share one login.
    if (this.#given === given) this.#given = this.#logIn(login);
    return this.#send(method, path, body, (await this.#given)?.token);
  }

  async #logIn({ mount, role, jwtFile }: VaultLogin): Promise<Given> {
    const jwt = readFileSync(jwtFile, 'utf8').trim();
    const text = await this.#send('POST', `auth/${mount}/login`, JSON.stringify({ role, jwt }));
    const { auth } = JSON.parse(text) as {
      auth?: { client_token?: unknown; lease_duration?: unknown } | null;
    };
    const { client_token: token, lease_duration: seconds } = auth ?? {};
    if (typeof token !== 'string' || typeof seconds !== 'number')
      throw new VaultError(0, `auth/${mount}/login: the answer has no token`);
    // A life of 0: the token does not expire.
    const lifeMs = seconds > 0 ? seconds * 1000 * renewedAfter : Number.POSITIVE_INFINITY;
    return { token, untilMs: this.#clock.monotonicMs() + lifeMs };
  }

  #send(method: string, path: string, body: string, token?: string): Promise<string> {
    const { address, caFile } = this.#connection;
    const url = new URL(`/v1/${path}`, address);
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const isAbsent = caFile !== undefined && !existsSync(caFile);
      const about = isAbsent ? ` (there is no ${caFile}: the system's anchors were used)` : '';
      const fail = (error: unknown): void =>
        reject(error instanceof VaultError ? error : new VaultError(0, messageOf(error) + about));
      try {
        const outgoing = request(url, {
          method,
          headers: {
            ...(token !== undefined && { 'x-vault-token': token }),
            'x-vault-request': 'true',
            ...(body !== '' && { 'content-type': 'application/json' }),
          },
          ...(caFile !== undefined && !isAbsent && { ca: readFileSync(caFile) }),
        });
        // For the whole exchange: an answer may come a byte at a time, and the issuer is not read again meanwhile.
        const timer = setTimeout(() => {
          fail(new Error(`no answer in ${this.#limitMs} ms`));
          outgoing.destroy();
        }, this.#limitMs);
        outgoing.on('close', () => clearTimeout(timer));
        outgoing.on('error', fail);
        outgoing.on('response', (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
            if (text.length > maxAnswerBytes)
              outgoing.destroy(new Error('the answer is too large'));
          });
          response.on('error', fail);
          response.on('end', () => {
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(text);
            else fail(new VaultError(status, `${path}: ${status} ${reasonOf(status, text)}`));
          });
        });
        outgoing.end(body);
      } catch (error) {
        fail(error);
      }
    });
  }
}

export type VaultData = Record<string, unknown>;

function reasonOf(status: number, text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (Array.isArray(errors) && errors.length > 0) return errors.map(String).join('; ');
  } catch {
    // The answer is not Vault's own, but perhaps a gateway's.
  }
  return status === 503 ? 'Vault is sealed' : 'refused';
}
