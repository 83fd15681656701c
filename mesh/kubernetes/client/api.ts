/** The Kubernetes API over node:https: get, list, apply, patch, delete, watch. Objects are plain JSON. */
import {
  Agent as PlainAgent,
  type ClientRequest,
  type IncomingMessage,
  request as plainRequest,
} from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import { exitCode, UserError } from '../../../base/errors.js';
import type { Credentials } from './credentials.js';
import { type AnyObject, apiVersionOf, pathOf, type Resource, resourceOf } from './objects.js';

/** A refusal by the API server, in its own words. */
export class ApiError extends UserError {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message, exitCode.environment);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

export const isStatus = (error: unknown, status: number): boolean =>
  error instanceof ApiError && error.status === status;

export interface ListAnswer<T> {
  items: T[];
  resourceVersion: string;
  next?: string;
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

export interface ApplyOptions {
  /** The owner of the written fields. */
  manager: string;
  /** Takes fields from other managers. */
  force?: boolean;
  dryRun?: boolean;
  subresource?: 'status';
}

export interface ApiOptions {
  /** The time to wait for an answer, in ms. */
  timeoutMs?: number;
  /** Called for each request, so that a test learns which permissions are used. */
  onRequest?: ((method: string, path: string) => void) | undefined;
}

const maxAnswerBytes = 256 * 1024 * 1024;

export class KubeApi {
  readonly server: URL;
  readonly #credentials: Credentials;
  readonly #agent: Agent | PlainAgent;
  readonly #timeoutMs: number;
  readonly #onRequest: ApiOptions['onRequest'];

  constructor(credentials: Credentials, options: ApiOptions = {}) {
    this.#onRequest = options.onRequest;
    this.server = credentials.server;
    this.#credentials = credentials;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    const keep = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 64 };
    this.#agent = this.server.protocol === 'https:' ? new Agent(keep) : new PlainAgent(keep);
  }

  get<T = AnyObject>(resource: Resource, namespace: string | undefined, name: string): Promise<T> {
    return this.call('GET', pathOf(resource, namespace, name)) as Promise<T>;
  }

  /** Returns the object, or undefined if the object or its kind does not exist. */
  async find<T = AnyObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
  ): Promise<T | undefined> {
    try {
      return await this.get<T>(resource, namespace, name);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Returns one page. Items get their kind, which lists omit. */
  async list<T = AnyObject>(
    resource: Resource,
    options: {
      namespace?: string | undefined;
      labelSelector?: string | undefined;
      fieldSelector?: string | undefined;
      limit?: number;
      next?: string | undefined;
    } = {},
  ): Promise<ListAnswer<T>> {
    const query = new URLSearchParams();
    if (options.labelSelector) query.set('labelSelector', options.labelSelector);
    if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
    if (options.limit) query.set('limit', String(options.limit));
    if (options.next) query.set('continue', options.next);
    const path = pathOf(resource, options.namespace);
    const answer = (await this.call('GET', `${path}?${query}`)) as {
      kind?: string;
      items?: Record<string, unknown>[] | null;
      metadata: { resourceVersion: string; continue?: string };
    };
    // An answer of something else, such as a load balancer, must not empty a cache.
    if (!answer.kind && !answer.items) {
      throw new UserError(`GET ${path}: the answer is no list`, exitCode.environment);
    }
    const kind = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    const page: ListAnswer<T> = {
      items: (answer.items ?? []).map((item) => ({ ...kind, ...item }) as T),
      resourceVersion: answer.metadata.resourceVersion,
    };
    if (answer.metadata.continue) page.next = answer.metadata.continue;
    return page;
  }

  create<T = AnyObject>(object: AnyObject): Promise<T> {
    const path = pathOf(resourceOf(object.kind), object.metadata.namespace);
    return this.call('POST', path, object) as Promise<T>;
  }

  /** Server-side apply: sets the fields of `object` and keeps the fields of other managers. */
  apply<T = AnyObject>(object: AnyObject, options: ApplyOptions): Promise<T> {
    const { name, namespace } = object.metadata;
    const query = new URLSearchParams({ fieldManager: options.manager });
    if (options.force) query.set('force', 'true');
    if (options.dryRun) query.set('dryRun', 'All');
    const path = pathOf(resourceOf(object.kind), namespace, name);
    const below = options.subresource ? `/${options.subresource}` : '';
    return this.call(
      'PATCH',
      `${path}${below}?${query}`,
      object,
      'application/apply-patch+yaml',
    ) as Promise<T>;
  }

  /** Applies a merge patch, or a JSON patch if `body` is a list. */
  patch<T = AnyObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    body: unknown,
    subresource?: 'status',
  ): Promise<T> {
    const type = Array.isArray(body)
      ? 'application/json-patch+json'
      : 'application/merge-patch+json';
    const below = subresource ? `/${subresource}` : '';
    return this.call('PATCH', pathOf(resource, namespace, name) + below, body, type) as Promise<T>;
  }

  /** Replaces the whole object; the object's resourceVersion guards against a lost update (409). */
  replace<T = AnyObject>(object: AnyObject): Promise<T> {
    const { name, namespace } = object.metadata;
    return this.call('PUT', pathOf(resourceOf(object.kind), namespace, name), object) as Promise<T>;
  }

  /** Returns whether the object existed. */
  async remove(resource: Resource, namespace: string | undefined, name: string): Promise<boolean> {
    try {
      await this.call('DELETE', pathOf(resource, namespace, name), {
        propagationPolicy: 'Background',
      });
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  /** Calls any path. Throws an ApiError for an answer other than 2xx, a UserError if there was no answer. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<unknown> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const response = await this.#send(method, path, payload, contentType, this.#timeoutMs);
    const text = await readAll(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusal(status, text, `${method} ${path}`);
    if (!(response.headers['content-type'] ?? '').includes('json')) return text;
    return text === '' ? {} : (JSON.parse(text) as unknown);
  }

  /**
   * Streams changes after `resourceVersion` until the server or `signal` ends the stream. Resolves when the stream
   * ended in order, or was silent for `silenceMs`: then its connection may be gone, and a new watch shows whether the
   * server is. Throws if the stream could not be opened or broke.
   */
  async watch<T = AnyObject>(
    path: string,
    query: Record<string, string>,
    onEvent: (event: WatchEvent<T>) => void,
    options: { signal: AbortSignal; silenceMs: number },
  ): Promise<void> {
    const all = new URLSearchParams({ ...query, watch: 'true', allowWatchBookmarks: 'true' });
    const response = await this.#send(
      'GET',
      `${path}?${all}`,
      undefined,
      '',
      options.silenceMs,
      options.signal,
    );
    const status = response.statusCode ?? 0;
    if (status !== 200) throw refusal(status, await readAll(response), `watch ${path}`);
    response.setEncoding('utf8');
    let isSilent = false;
    (response as { req?: ClientRequest }).req?.prependListener('timeout', () => (isSilent = true));
    let rest = '';
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() as string;
        for (const line of lines) if (line !== '') onEvent(JSON.parse(line) as WatchEvent<T>);
      }
    } catch (error) {
      if (!isSilent) throw error;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(
    method: string,
    path: string,
    payload: Buffer | undefined,
    contentType: string,
    silenceMs: number,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    this.#onRequest?.(method, path);
    const own = await this.#credentials.options();
    const headers: Record<string, string | number> = {
      ...(own.headers as Record<string, string>),
      accept: 'application/json',
      'user-agent': 'firedrill',
    };
    if (payload) {
      headers['content-type'] = contentType;
      headers['content-length'] = payload.length;
    }
    const prefix = this.server.pathname.replace(/\/$/, '');
    const options: RequestOptions = {
      ...own,
      method,
      host: this.server.hostname.replace(/^\[|\]$/g, ''),
      port: this.server.port || (this.server.protocol === 'https:' ? 443 : 80),
      path: prefix + path,
      headers,
      agent: this.#agent as Agent,
      timeout: silenceMs,
      ...(signal ? { signal } : {}),
    };
    return new Promise((resolve, reject) => {
      const send = this.server.protocol === 'https:' ? request : plainRequest;
      const call = send(options, resolve);
      call.on('timeout', () => call.destroy(new Error(`no answer for ${silenceMs} ms`)));
      call.on('error', (error) =>
        reject(
          new UserError(
            `${this.server.host}: ${method} ${path.split('?')[0]}: ${error.message}`,
            exitCode.environment,
          ),
        ),
      );
      call.end(payload);
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`an answer of more than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const unaccepted =
  'Unauthorized: the API server does not accept these credentials; log in anew, or see the user in the kubeconfig';

function refusal(status: number, text: string, call: string): ApiError {
  try {
    const body = JSON.parse(text) as { message?: string; reason?: string };
    if (status === 401) return new ApiError(status, body.reason ?? '', unaccepted);
    return new ApiError(status, body.reason ?? '', body.message ?? `${call}: ${status}`);
  } catch {
    return new ApiError(status, '', `${call}: ${status} ${text.slice(0, 200).trim()}`);
  }
}
