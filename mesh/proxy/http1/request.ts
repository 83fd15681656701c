/**
 * A client's request, as policy sees it and as it is sent on. Each connection has one object, reused for each
 * request.
 */
import type { EndpointState, Flow, RequestInfo, TlsLabel } from '../flow/contract.js';
import { isReserved } from '../flow/reserved.js';
import type { Serving } from '../seam.js';
import type { Head } from './head.js';
import { splitAbsolute } from './target.js';
import type { RequestChanges } from './head-text.js';
import type { RequestBody } from './request-body.js';
import { upgradeOf } from './upgrade.js';

export class ClientRequest implements RequestInfo {
  readonly head: Head;
  readonly #body: RequestBody;
  readonly #serving: Serving;
  method = '';
  path = '';
  authority = '';
  /** The path of a target in absolute form. */
  #absolutePath: string | undefined;
  /** The protocol that the client asks to change to, if the route allows it. */
  upgrade: string | undefined;

  constructor(head: Head, body: RequestBody, serving: Serving) {
    this.head = head;
    this.#body = body;
    this.#serving = serving;
  }

  /** Reads the target. False: the target's form has no destination; CONNECT's has none either. */
  read(): boolean {
    const { head } = this;
    this.method = head.method;
    this.path = head.target;
    this.authority = head.hostAt >= 0 ? head.value(head.hostAt) : '';
    this.#absolutePath = undefined;
    this.upgrade = undefined;
    if (this.path.charCodeAt(0) === 47 || this.path === '*') return true;
    const parts = this.method === 'CONNECT' ? undefined : splitAbsolute(this.method, this.path);
    if (!parts) return false;
    this.authority = parts.authority;
    this.path = parts.path;
    this.#absolutePath = parts.path;
    return true;
  }

  begin(): Flow {
    const { head } = this;
    const flow = this.#serving.begin(this);
    if (head.upgrades && head.upgradeAt >= 0 && head.minor === 1) {
      this.upgrade = upgradeOf(head.value(head.upgradeAt), flow.upgrades);
    }
    return flow;
  }

  mayStay(): boolean {
    return this.#serving.mayStay?.(this) ?? true;
  }

  /** The changes to the head on its way to the endpoint. */
  changes(flow: Flow, endpoint: EndpointState): RequestChanges {
    const { head } = this;
    let { authority } = flow;
    if (authority === undefined && this.#absolutePath !== undefined) authority = this.authority;
    // HTTP/1.0 may leave Host out; the forwarded request is HTTP/1.1, which may not.
    if (authority === undefined && head.hostAt < 0) authority = endpoint.address;
    return {
      target: flow.path ?? this.#absolutePath,
      authority,
      edits: flow.requestHeaders,
      more: flow.moreRequestHeaders,
      upgrade: this.upgrade,
      trailers: head.minor === 1,
    };
  }

  get isGrpc(): boolean {
    if (this.#body.isNone) return false;
    return this.head.header('content-type')?.startsWith('application/grpc') ?? false;
  }

  /** Fields that are not passed on do not count: names that only a proxy may set, and those that Connection names. */
  header(name: string): string | undefined {
    if (isReserved(name) || this.head.named?.includes(name)) return undefined;
    return this.head.header(name);
  }

  get isMirror(): boolean {
    return this.head.isMirror;
  }

  get peerIdentity(): string | undefined {
    return this.#serving.peerIdentity;
  }

  get peerAddress(): string {
    return this.#serving.peerAddress;
  }

  get tls(): TlsLabel {
    return this.#serving.tls;
  }
}
