/**
 * One client's HTTP/1.1 connection: requests are read one after the other, and each is an exchange until it is
 * answered. The exchange object is reused, so no request allocates a new one.
 */
import { Deadline } from '../listen/deadlines.js';
import { type Holder, holdings } from '../listen/holdings.js';
import { highWaterBytes, type Wire, type WireUser } from '../listen/wire.js';
import type { Serving } from '../seam.js';
import { answerText } from './answers.js';
import { Carry } from './carry.js';
import { Exchange } from './exchange.js';
import type { Http1Parts } from './front.js';
import { broken, Head, needMore } from './head.js';

/** Requests that came too early are kept up to this size; then reading stops. */
const maxEarlyBytes = 64 * 1024;
/** How long a refused client may go on sending before the connection is closed. */
const lingerMs = 2000;
/** How long a client that has ended its side may wait without taking a byte of its answer. */
const halfClosedWaitMs = 5000;

export class Downstream implements WireUser, Holder {
  readonly #parts: Http1Parts;
  readonly #serving: Serving;
  readonly wire: Wire;
  readonly head: Head;
  readonly #exchange: Exchange;
  readonly #deadline: Deadline;
  /** Bytes not yet used: a part of a head, or requests that came early. */
  #carry: Carry | undefined;
  /** A read loop is running and will handle whatever comes next. */
  #busy = false;
  /** No more requests on this connection. */
  isLast = false;
  /** The client will send no more. */
  hasEnded = false;
  #paused = false;
  #closed = false;
  /** After CONNECT: the target, for the code that carries the bytes that follow. */
  #tunnelTo: string | undefined;
  /** A head that has begun must be complete by then. */
  #headDueMs = Infinity;
  /** The next request must begin by then. */
  #idleDueMs = Infinity;
  /** A client that has ended its side must have taken more of its answer by then. */
  #graceDueMs = Infinity;
  #graceBytes = 0;

  heldBytes = 0;

  constructor(parts: Http1Parts, wire: Wire, serving: Serving) {
    this.#parts = parts;
    this.#serving = serving;
    this.wire = wire;
    this.head = new Head('request', parts.limits.maxHeadBytes);
    this.#exchange = new Exchange(parts, this, serving);
    this.#deadline = new Deadline(parts.deadlines, (nowMs) => this.#due(nowMs));
    this.#idleDueMs = parts.deadlines.nowMs() + parts.limits.headTimeoutMs;
    this.#armFor(this.#idleDueMs);
  }

  /** Between requests, or in the middle of a head. */
  get #isReading(): boolean {
    return !this.#closed && !this.#exchange.isUnderWay;
  }

  /** Nothing is in flight, and all answers are with the kernel. */
  get isIdle(): boolean {
    return this.#isReading && !this.head.begun && this.wire.pendingBytes === 0;
  }

  /** The client has sent requests ahead and does not read their answers: the next request waits. */
  get #isBehind(): boolean {
    return this.#isReading && !this.head.begun && this.wire.pendingBytes > highWaterBytes;
  }

  // The client's bytes.

  onBytes(buffer: Buffer, length: number): void {
    if (this.#exchange.isTunnel) return this.#exchange.tunnelBytes(buffer, length);
    if (this.#carry && this.#carry.length > 0) {
      this.#carry.append(buffer, 0, length);
      this.#readCarry();
    } else this.#read(buffer, length);
  }

  #readCarry(): void {
    const carry = this.#carry;
    if (!carry || carry.length === 0) return;
    // The rest of it is put back afterwards.
    this.#carry = undefined;
    this.#read(carry.bytes, carry.length, carry);
  }

  #read(buffer: Buffer, to: number, own?: Carry): void {
    this.#busy = true;
    const from = this.#readParts(buffer, to);
    this.#busy = false;
    if (this.#closed) return;
    if (from >= to) {
      this.accountIfAny();
      if (this.hasEnded && this.#isReading) this.goodbye();
      return;
    }
    const carry = own ?? this.#carry ?? new Carry();
    this.#carry = carry;
    if (own) own.consume(from);
    else carry.append(buffer, from, to);
    if (this.#isBehind) this.pause();
    else if (this.#isReading) {
      // A head that comes in pieces has a time limit from its first byte on.
      if (this.head.begun && this.#headDueMs === Infinity) {
        this.#headDueMs = this.#parts.deadlines.nowMs() + this.#parts.limits.headTimeoutMs;
        this.#armFor(this.#headDueMs);
      }
    } else if (carry.length > maxEarlyBytes) this.pause();
    this.account();
  }

  /** Reads heads and bodies as far as the bytes go. Returns where the unused bytes begin. */
  #readParts(buffer: Buffer, to: number): number {
    const exchange = this.#exchange;
    const { body } = exchange;
    let from = 0;
    while (from < to) {
      if (this.#isBehind) break;
      if (!exchange.isUnderWay) {
        const end = this.head.parse(buffer, from, to);
        if (end === needMore) break;
        if (end === broken) {
          this.#refuseHead();
          break;
        }
        from = this.#begin(buffer, end, to);
      } else if (!body.done) {
        const end = body.take(buffer, from, to);
        if (end >= 0) exchange.moreBody(buffer, body.verbatimStart, body.verbatimEnd);
        else exchange.breakOff();
        from = end;
      } else break;
      if (this.#closed) {
        if (this.#tunnelTo !== undefined) {
          const rest = Buffer.from(buffer.subarray(from, to));
          this.#parts.openTunnel?.(this.wire, this.#serving, this.#tunnelTo, this.head.text, rest);
        }
        break;
      }
      if (exchange.isTunnel) {
        if (from < to) exchange.tunnelBytes(buffer.subarray(from, to), to - from);
        from = to;
      }
    }
    return from;
  }

  /** Begins the request whose head has been read. Returns where its bytes end. */
  #begin(buffer: Buffer, headEnd: number, to: number): number {
    const exchange = this.#exchange;
    const { body } = exchange;
    this.#headDueMs = Infinity;
    this.#idleDueMs = Infinity;
    if (this.wire.isDenied()) {
      this.#parts.onBadRequest('denied');
      this.refuse(403, 'unauthorized', "the client's certificate is denied");
      return headEnd;
    }
    body.begin(this.head);
    if (body.done) {
      exchange.begin(buffer, headEnd, headEnd);
      if (this.hasEnded) this.#waitForAnswer();
      return headEnd;
    }
    const from = body.take(buffer, headEnd, to);
    if (from < 0) exchange.breakOff();
    else exchange.begin(buffer, body.verbatimStart, body.verbatimEnd);
    if (this.hasEnded) this.#waitForAnswer();
    return from;
  }

  /** Reports the memory kept for a request that has not come whole, or cannot be sent on. */
  account(): void {
    const bytes = (this.#carry?.bytes.length ?? 0) + this.#exchange.body.keptBytes;
    if (bytes !== this.heldBytes) holdings.hold(this, bytes - this.heldBytes);
  }

  accountIfAny(): void {
    if (this.heldBytes !== 0) this.account();
  }

  /** Others need the memory, and this client has been slow for longest. */
  letGo(): void {
    if (this.#isReading) {
      this.#parts.onBadRequest('slow');
      this.refuse(408, 'timeout', 'the head took too long');
    } else if (!this.#closed && (this.#carry || !this.#exchange.dropKept())) {
      this.#exchange.cut('client-gone');
    }
    this.account();
  }

  /** After CONNECT other code owns the connection. */
  handsOver(target: string): void {
    this.#tunnelTo = target;
    this.#close();
  }

  /** An upgraded connection: bytes that came already go first. */
  becomesTunnel(): void {
    if (!this.#busy && this.#carry) {
      const { bytes, length } = this.#carry;
      this.#carry = undefined;
      this.onBytes(bytes, length);
    }
    if (this.hasEnded) this.#exchange.clientEnded(0);
  }

  // The end of a request, and of the connection.

  /** The head is invalid: the rest of the connection cannot be understood. */
  #refuseHead(): void {
    const { error } = this.head;
    this.#parts.onBadRequest(error?.reason ?? '');
    if (this.#serving.meansHttp2 && this.wire.bytesOut === 0) {
      this.#close();
      return this.wire.endThenDestroy(0);
    }
    this.refuse(error?.status ?? 400, 'bad-request', error?.reason ?? '');
  }

  /** Answers an invalid request, and closes. */
  refuse(status: number, error: string, reason: string): void {
    this.isLast = true;
    this.wire.writeText(
      answerText({
        status,
        headers: ['l5d-proxy-error', error],
        body: `${reason}\n`,
        isHead: false,
        close: true,
        keepAlive: false,
      }),
    );
    this.goodbye();
  }

  /** The answer is out; `isWhole`: the request had come whole. */
  next(isWhole: boolean): void {
    if (this.isLast || !isWhole) return this.goodbye();
    this.#graceDueMs = Infinity;
    this.head.reset();
    this.#idleDueMs = this.#parts.deadlines.nowMs() + this.#parts.limits.idleTimeoutMs;
    this.#armFor(this.#idleDueMs);
    this.resume();
    if (!this.#busy) this.#readOn();
  }

  /** Begins with the requests that have come already. */
  #readOn(): void {
    this.#readCarry();
    // The client had ended its side: no request can follow those already read.
    const waits = this.#isBehind && this.#carry !== undefined;
    if (this.hasEnded && this.#isReading && !waits) this.goodbye();
  }

  goodbye(): void {
    this.#close();
    if (this.hasEnded && this.wire.pendingBytes === 0) this.wire.endThenDestroy(0);
    else this.wire.endThenDestroy(lingerMs);
  }

  /** The answer sent is incomplete and must not look complete. */
  cut(): void {
    this.#close();
    this.wire.reset();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#carry = undefined;
    this.accountIfAny();
    this.#deadline.cancel();
    this.#exchange.close();
    this.#parts.onClosed(this);
  }

  // The client's side of the wire.

  onEnd(): void {
    this.hasEnded = true;
    if (this.#closed) return;
    if (this.#isReading) {
      this.#close();
      return this.wire.endThenDestroy(0);
    }
    if (this.#exchange.clientEnded(this.#parts.deadlines.nowMs())) return this.#waitForAnswer();
    // The client has given up, or its body is cut short.
    this.abandon();
  }

  /**
   * A client that still reads cannot be told from one that has gone, until bytes are sent to it: the wait is limited.
   */
  #waitForAnswer(): void {
    if (!this.#exchange.isUnderWay || this.#exchange.isTunnel) return;
    this.#graceBytes = this.#exchange.takenBytes;
    this.#graceDueMs = this.#parts.deadlines.nowMs() + halfClosedWaitMs;
    this.#armFor(this.#graceDueMs);
  }

  onDrain(): void {
    if (!this.#isReading) return this.#exchange.clientDrained();
    this.resume();
    this.#readOn();
  }

  onClose(): void {
    if (this.#closed) return;
    this.#exchange.leave();
    this.#close();
  }

  /** While it is paused, its leaving is not seen. */
  get isPaused(): boolean {
    return this.#paused;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.wire.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.wire.resume();
  }

  /** Closes the connection if it is idle: while draining, or since no more requests may begin on it. */
  endIdle(): void {
    if (!this.isIdle) return;
    this.#close();
    this.wire.endThenDestroy(lingerMs);
  }

  /** A verdict lasts for as long as the policy would give it again: called every second. */
  review(nowMs: number): void {
    if (this.wire.isOutlived(nowMs)) this.endIdle();
    this.#exchange.review();
  }

  /** The client has given up, or the drain's time is up. */
  abandon(): void {
    this.onClose();
    this.wire.destroy();
  }

  // Timers between requests; during a request the exchange has its own.

  /** A deadline later than the armed one is checked when that one fires. */
  #armFor(dueMs: number): void {
    if (dueMs < this.#deadline.dueMs) this.#deadline.at(dueMs);
  }

  #due(nowMs: number): void {
    if (this.#closed) return;
    if (this.#graceDueMs <= nowMs) {
      if (this.#exchange.takenBytes === this.#graceBytes) return this.abandon();
      this.#waitForAnswer();
    }
    if (this.#isReading && this.#headDueMs <= nowMs) {
      this.#parts.onBadRequest('timeout');
      return this.refuse(408, 'timeout', 'the head took too long');
    }
    // A head that has begun has its own deadline, so the idle one no longer applies.
    if (this.#headDueMs !== Infinity) this.#idleDueMs = Infinity;
    if (this.#isReading && this.#idleDueMs <= nowMs) {
      this.#close();
      return this.wire.endThenDestroy(lingerMs);
    }
    this.#armFor(Math.min(this.#headDueMs, this.#idleDueMs, this.#graceDueMs));
  }
}
