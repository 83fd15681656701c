/** Relays bytes without reading them between a client's connection and an endpoint's; each side ends separately. */
import type { ConnectionFlow, End, EndpointState } from '../flow/contract.js';
import type { DeadlineWheel } from '../listen/deadlines.js';
import type { Connector } from '../listen/connect.js';
import { maxLookedAt, spokenIn } from '../listen/detection.js';
import { type Holder, holdings } from '../listen/holdings.js';
import type { Wire, WireUser } from '../listen/wire.js';
import { type Front, Tries } from '../tries.js';

export interface OpaqueParts {
  readonly deadlines: DeadlineWheel;
  readonly connector: Connector;
  /** Whether the policy would still let the client in; absent: no policy applies. */
  readonly mayStay?: () => boolean;
  onClosed(connection: OpaqueConnection): void;
}

/** Bytes that the client sends before there is a connection are kept up to this size. */
const maxHeldBytes = 64 * 1024;
/** How long a client may go on sending after it was notified that there is no connection. */
const lingerMs = 2000;

/** The answers to the client, in its own protocol, when the connection opens and when it fails. */
export interface Answers {
  readonly opened: string;
  readonly failed: string;
}

export class OpaqueConnection implements WireUser, Front<ConnectionFlow>, Holder {
  readonly #parts: OpaqueParts;
  readonly #client: Wire;
  readonly #flow: ConnectionFlow;
  readonly #tries: Tries<ConnectionFlow>;
  #held: Buffer[] = [];
  heldBytes = 0;
  #attempt: { cancel(): void } | undefined;
  #server: Wire | undefined;
  #clientEnded = false;
  #serverEnded = false;
  #sentBytes = 0;
  #receivedBytes = 0;

  #answers: Answers | undefined;

  /** If the protocol was only assumed to be opaque: the client's first line, until it shows what it is. */
  #line: Buffer | undefined;

  constructor(
    parts: OpaqueParts,
    client: Wire,
    flow: ConnectionFlow,
    heard: { first: Buffer; refusesHttp: boolean; answers?: Answers },
  ) {
    this.#answers = heard.answers;
    this.#parts = parts;
    this.#client = client;
    this.#flow = flow;
    this.#tries = new Tries(this, parts.deadlines);
    client.user = this;
    client.keepAlive();
    const { first, refusesHttp } = heard;
    if (refusesHttp) this.#line = first;
    if (first.length > 0) this.#hold(first);
  }

  start(): void {
    this.#client.resume();
    this.#tries.begin(this.#flow, 0, 0, this.#parts.deadlines.nowMs());
  }

  send(endpoint: EndpointState): void {
    this.#attempt = this.#parts.connector.connectOpaque(endpoint, {
      connected: (wire) => this.#connected(wire),
      failed: (failure) => {
        this.#attempt = undefined;
        this.#tries.failed(failure);
      },
    });
  }

  cancel(): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
  }

  mirror(): void {
    // Opaque bytes are not mirrored.
  }

  answer(): void {
    this.#finish('complete', false);
  }

  cut(how: End): void {
    this.#finish(how, true);
  }

  get #isOver(): boolean {
    return this.#tries.flow === undefined;
  }

  #connected(wire: Wire): void {
    this.#attempt = undefined;
    if (this.#isOver) return wire.destroy();
    this.#server = wire;
    wire.keepAlive();
    this.#flow.connected();
    this.#tries.heard('relay', false);
    wire.user = {
      onBytes: (buffer, length) => this.#receive(buffer, length),
      onEnd: () => {
        this.#serverEnded = true;
        this.#client.end();
        this.#endIfBoth();
      },
      onDrain: () => {
        if (!this.#tries.isResting) this.#client.resume();
      },
      onClose: (code) => this.#broke(code, 'upstream-broke'),
    };
    if (this.#answers) this.#client.writeText(this.#answers.opened);
    this.#answers = undefined;
    for (const piece of this.#held) wire.writeBytes(piece, 0, piece.length);
    this.#forgetHeld();
    wire.resume();
    this.#client.resume();
    if (this.#clientEnded) wire.end();
  }

  // The client's side.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#line && this.#isHttp(this.#line, buffer.subarray(0, length))) return;
    this.#sentBytes += length;
    const server = this.#server;
    if (!server) {
      // A black hole takes bytes and answers nothing.
      if (this.#tries.isSilent) return this.#forgetHeld();
      this.#hold(Buffer.from(buffer.subarray(0, length)));
      if (this.heldBytes >= maxHeldBytes) this.#client.pause();
      return;
    }
    if (!server.writeBytes(buffer, 0, length)) this.#client.pause();
    this.#tries.passed(length);
  }

  /** Such a request would reach the app with unchecked headers. */
  #isHttp(before: Buffer, bytes: Buffer): boolean {
    const line = Buffer.concat([before, bytes]);
    const spoken = spokenIn(line, line.length);
    this.#line = spoken === undefined && line.length <= maxLookedAt ? line : undefined;
    const isHttp = spoken === 'http1' || spoken === 'http2';
    if (isHttp) this.#finish('client-gone', true);
    return isHttp;
  }

  #hold(bytes: Buffer): void {
    this.#held.push(bytes);
    holdings.hold(this, bytes.length);
  }

  #forgetHeld(): void {
    this.#held = [];
    if (this.heldBytes !== 0) holdings.hold(this, -this.heldBytes);
  }

  /** The memory is needed for others, and the client has waited for its connection for longest. */
  letGo(): void {
    this.#finish('client-gone', true);
  }

  /** A verdict lasts for as long as the policy would give it again: called every second. */
  review(): void {
    const isDenied = this.#server?.isDenied() ?? false;
    if (isDenied || this.#parts.mayStay?.() === false) this.#finish('unauthorized', true);
  }

  onEnd(): void {
    this.#clientEnded = true;
    this.#server?.end();
    this.#endIfBoth();
  }

  onDrain(): void {
    if (!this.#tries.isResting) this.#server?.resume();
  }

  onClose(code: string | undefined): void {
    this.#broke(code, 'client-gone');
  }

  #receive(buffer: Buffer, length: number): void {
    this.#receivedBytes += length;
    if (!this.#client.writeBytes(buffer, 0, length)) this.#server?.pause();
    this.#tries.passed(length);
  }

  #endIfBoth(): void {
    if (!this.#clientEnded || !this.#serverEnded || this.#isOver) return;
    const server = this.#server;
    this.#close('complete');
    this.#client.endThenDestroy(0);
    server?.endThenDestroy(0);
  }

  /** An error on one side becomes a reset on the other: the bytes so far are not all. */
  #broke(code: string | undefined, how: End): void {
    if (this.#isOver) return;
    const isClean = code === undefined && this.#clientEnded && this.#serverEnded;
    this.#finish(isClean ? 'complete' : how, !isClean);
  }

  #finish(how: End, reset: boolean): void {
    if (this.#isOver) return;
    const server = this.#server;
    const answers = this.#answers;
    this.#close(how);
    if (answers && how !== 'client-gone') {
      this.#client.writeText(answers.failed);
      this.#client.endThenDestroy(lingerMs);
      return;
    }
    for (const wire of [this.#client, server]) {
      if (reset) wire?.reset();
      else wire?.destroy();
    }
  }

  #close(how: End): void {
    this.cancel();
    this.#forgetHeld();
    this.#tries.over()?.ended(how, this.#sentBytes, this.#receivedBytes);
    this.#tries.close();
    this.#parts.onClosed(this);
  }

  rest(isResting: boolean): void {
    for (const wire of [this.#client, this.#server]) {
      if (isResting) wire?.pause();
      else wire?.resume();
    }
  }

  // Opaque connections have no idle limit.
  readonly movedBytes = 0;
  readonly endsIdle = false;

  /** With a reset: the bytes so far are not all. */
  abandon(): void {
    this.#finish('client-gone', true);
  }
}
