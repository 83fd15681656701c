/**
 * The few calls of Vault's HTTP API that an issuer needs; the token is read again for each call, as agents replace
 * it.
 */
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { messageOf } from '../../base/errors.js';

const timeoutMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

export interface VaultConnection {
  /** `https://vault:8200`; plain http is accepted for loopback only, where no other machine can read the token. */
  address: string;
  tokenFile: string;
  caFile?: string | undefined;
}

/** Vault refused, or did not answer (`status` 0). */
export class VaultError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'VaultError';
    this.status = status;
  }
}

export class VaultApi {
  readonly #connection: VaultConnection;

  constructor(connection: VaultConnection) {
    const { protocol, hostname } = new URL(connection.address);
    const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
    if (protocol !== 'https:' && !(protocol === 'http:' && loopback)) {
      throw new VaultError(0, `${connection.address}: https is needed beyond loopback`);
    }
    this.#connection = connection;
  }

  /** The answer's `data`. Rejects with a VaultError; no message contains the token. */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<VaultData> {
    const text = await this.#send(method, path, body === undefined ? '' : JSON.stringify(body));
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
    return this.#send('GET', path, '');
  }

  #send(method: string, path: string, body: string): Promise<string> {
    const { address, tokenFile, caFile } = this.#connection;
    const url = new URL(`/v1/${path}`, address);
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void =>
        reject(error instanceof VaultError ? error : new VaultError(0, messageOf(error)));
      try {
        const outgoing = request(url, {
          method,
          headers: {
            'x-vault-token': readFileSync(tokenFile, 'utf8').trim(),
            'x-vault-request': 'true',
            ...(body !== '' && { 'content-type': 'application/json' }),
          },
          timeout: timeoutMs,
          ...(caFile !== undefined && { ca: readFileSync(caFile) }),
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)));
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
