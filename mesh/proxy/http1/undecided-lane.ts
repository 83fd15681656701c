/**
 * The first attempt to an endpoint, while it is unknown whether the peer carries HTTP/1.1 over HTTP/2. Written bytes
 * are kept unchanged until one of the two is chosen.
 */
import type { EndpointState, TryFailure } from '../flow/contract.js';
import type { Carrier } from '../seam.js';
import type { Head } from './head.js';
import { type RequestChanges, requestText } from './head-text.js';
import { Http2Lane } from './http2-lane.js';
import type { Lane } from './lane.js';
import type { Pool } from './pool.js';
import type { Upstream, UpstreamUser } from './upstream.js';

/** Beyond this size the writer is asked to wait. */
const highWaterBytes = 64 * 1024;

export class UndecidedLane implements Lane, UpstreamUser {
  readonly #carrier: Carrier;
  readonly #endpoint: EndpointState;
  readonly #head: Head;
  readonly #changes: RequestChanges;
  readonly #user: UpstreamUser;
  readonly #pool: () => Pool;
  #asked: { leave(): void } | undefined;
  /** The pool that this attempt waits in, once HTTP/1.1 is chosen. */
  #waitsIn: Pool | undefined;
  #lane: Lane | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #isWhole = false;
  #isPaused = false;
  #isOver = false;

  constructor(
    carrier: Carrier,
    endpoint: EndpointState,
    head: Head,
    changes: RequestChanges,
    user: UpstreamUser,
    pool: () => Pool,
  ) {
    this.#carrier = carrier;
    this.#endpoint = endpoint;
    this.#head = head;
    this.#changes = changes;
    this.#user = user;
    this.#pool = pool;
    this.#asked = carrier.ask(endpoint, {
      found: () => this.#found(),
      failed: (failure) => this.upstreamFailed(failure),
    });
  }

  #found(): void {
    this.#asked = undefined;
    if (this.#isOver) return;
    if (this.#carrier.carries(this.#endpoint) === true) {
      const { openTry } = this.#carrier;
      this.#begin(new Http2Lane(openTry, this.#endpoint, this.#head, this.#changes, this.#user));
      return;
    }
    this.#waitsIn = this.#pool();
    const upstream = this.#waitsIn.take(this);
    if (upstream) this.upstreamReady(upstream);
  }

  upstreamReady(upstream: Upstream): void {
    this.#waitsIn = undefined;
    const head = this.#head;
    upstream.begin(this.#user, head.method === 'HEAD', head.minor === 0);
    upstream.writeText(requestText(head, this.#changes));
    this.#begin(upstream);
  }

  #begin(lane: Lane): void {
    this.#lane = lane;
    const wasFull = this.#keptBytes > highWaterBytes;
    let more = true;
    for (const bytes of this.#kept) more = lane.writeBytes(bytes, 0, bytes.length);
    this.#kept = [];
    this.#keptBytes = 0;
    if (this.#isWhole) lane.sentAll();
    if (this.#isPaused) lane.pause();
    if (wasFull && more) this.#user.upstreamDrained();
  }

  // Calls of the writer.

  get isOpen(): boolean {
    return this.#lane?.isOpen ?? false;
  }

  writeText(text: string): boolean {
    if (this.#lane) return this.#lane.writeText(text);
    return this.#keep(Buffer.from(text, 'latin1'));
  }

  writeBytes(buffer: Buffer, start: number, end: number): boolean {
    if (this.#lane) return this.#lane.writeBytes(buffer, start, end);
    return this.#keep(Buffer.from(buffer.subarray(start, end)));
  }

  #keep(bytes: Buffer): boolean {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    return this.#keptBytes <= highWaterBytes;
  }

  sentAll(): void {
    this.#isWhole = true;
    this.#lane?.sentAll();
  }

  abort(): void {
    this.#isOver = true;
    this.#asked?.leave();
    this.#waitsIn?.leave(this);
    this.#lane?.abort();
  }

  pause(): void {
    this.#isPaused = true;
    this.#lane?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#lane?.resume();
  }

  tunnel(): void {
    this.#lane?.tunnel();
  }

  end(): void {
    this.#lane?.end();
  }

  get trailers(): string[] | undefined {
    return this.#lane?.trailers;
  }

  // Callbacks of the pool before there is a connection; afterwards the user receives all of them.

  get client(): string {
    return this.#user.client;
  }

  get share(): string | undefined {
    return this.#user.share;
  }

  get takenBytes(): number {
    return this.#user.takenBytes;
  }

  upstreamFailed(failure: TryFailure): void {
    this.#asked = undefined;
    this.#waitsIn = undefined;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#user.upstreamFailed(failure);
  }

  upstreamInformational(): void {
    throw new Error('an answer without a request');
  }

  upstreamHead(): void {
    throw new Error('an answer without a request');
  }

  upstreamBody(): void {
    throw new Error('an answer without a request');
  }

  upstreamDrained(): void {
    // Nothing was written yet.
  }
}
