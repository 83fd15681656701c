/**
 * One stream of a connection, at either end: windows, waiting octets, and the receiver of its events. Octets that
 * cannot be sent yet are copied and kept here; the window of the other side of the relay limits their number, because
 * octets are credited there only after they were sent here.
 */
import type { Holder } from '../listen/holdings.js';
import type { Connection } from './connection.js';
import { errorCode } from './frame.js';
import type { Field } from './hpack/field.js';

/** Receives the events of one stream. No callback follows onReset, or the end of the stream. */
export interface Receiver {
  /** Client side: the response's head; `status` below 200 is informational and may come several times. */
  onHead(stream: Stream, status: number, fields: Field[], ended: boolean): void;
  /** The octets are valid during the call. Credit them by stream.consumed() once they are passed on. */
  onData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): void;
  onTrailers(stream: Stream, fields: Field[]): void;
  /** `lost`: the connection broke or was closed with the stream open. */
  onReset(stream: Stream, code: number, lost: boolean): void;
  /** This many waiting octets have been sent. */
  onSent(stream: Stream, bytes: number): void;
}

export class Stream implements Holder {
  readonly connection: Connection;
  readonly id: number;
  receiver: Receiver;
  /** Octets that the peer allows this side to send, and that this side allows the peer. */
  sendWindow: number;
  receiveWindow: number;
  /** Passed on, not yet credited by a WINDOW_UPDATE. */
  unacknowledged = 0;
  /** Received, not yet passed on. */
  bufferedBytes = 0;
  localEnded = false;
  remoteEnded = false;
  closed = false;
  /** Client side: the final head has come. Server side: the final head has been sent. */
  headDone = false;
  /** Client side: interim heads that have come. */
  informational = 0;
  /** Client side: opened on a session that had been used before and had no other stream. */
  onIdleSession = false;
  /** Client side: the answer has no body, whatever its content-length. */
  bodiless = false;
  /** From content-length; -1: absent. */
  expectedBytes = -1;
  receivedBytes = 0;
  /** Octets that wait for a window or for the wire; undefined while none wait. */
  waiting: Waiting | undefined;
  heldBytes = 0;
  /** Server side: when it was opened. */
  openedMs = 0;
  /** Since when none of the waiting octets could be sent; -1: not checked since the last were sent. */
  stalledSinceMs = -1;
  /** Listed with the streams that wait for the connection. */
  blocked = false;

  constructor(
    connection: Connection,
    id: number,
    receiver: Receiver,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.connection = connection;
    this.id = id;
    this.receiver = receiver;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  get isOpen(): boolean {
    return true;
  }

  get waitingBytes(): number {
    return this.waiting ? this.waiting.bytes : 0;
  }

  headers(fields: readonly Field[], ended: boolean): void {
    if (this.closed || this.localEnded) return;
    this.connection.sendHeaders(this, fields, ended);
  }

  /** Returns how many octets were sent now; the rest is kept, and onSent reports it later. */
  data(buffer: Buffer, start: number, end: number, ended: boolean): number {
    if (this.closed || this.localEnded) return end - start;
    const { waiting } = this;
    const sent = waiting ? 0 : this.connection.sendData(this, buffer, start, end, ended);
    const rest = start + sent;
    if (rest === end && (!ended || this.localEnded)) return sent;
    const queue = waiting ?? (this.waiting = new Waiting());
    if (rest < end) {
      queue.add(buffer, rest, end);
      this.connection.memory.hold(this, end - rest);
    }
    if (ended) queue.ended = true;
    if (!waiting) this.connection.block(this);
    return sent;
  }

  /** Ends this side after the waiting octets; without fields by an empty DATA frame. */
  end(trailers: readonly Field[] | undefined): void {
    if (this.closed || this.localEnded) return;
    if (this.waiting) {
      this.waiting.ended = true;
      if (trailers) this.waiting.trailers = trailers.slice();
    } else if (trailers) {
      this.connection.sendHeaders(this, trailers, true);
    } else {
      this.connection.sendData(this, noBytes, 0, 0, true);
    }
  }

  /** Calls `listener` once all octets that were read together have been processed. */
  afterRead(listener: { onRead(): void }): void {
    this.connection.afterRead(listener);
  }

  consumed(bytes: number): void {
    if (bytes > 0) this.connection.consumed(this, bytes);
  }

  reset(code: number): void {
    if (!this.closed) this.connection.resetStream(this, code);
  }

  /** The peer does not read, and others need the memory. */
  letGo(): void {
    if (!this.closed) this.connection.streamFailed(this, errorCode.cancel);
  }

  /** Sends as many waiting octets as the windows allow, up to about `limit`. */
  pump(limit: number): void {
    const queue = this.waiting;
    if (!queue) return;
    let sentInAll = 0;
    while (sentInAll < limit && queue.bytes > 0) {
      const chunk = queue.chunks[queue.first] as Buffer;
      const from = queue.offset;
      const to = queue.ends[queue.first] as number;
      const ends = queue.ended && !queue.trailers && queue.bytes === to - from;
      const sent = this.connection.sendData(this, chunk, from, to, ends);
      sentInAll += sent;
      queue.took(sent);
      this.connection.memory.hold(this, -sent);
      if (sent < to - from) break;
    }
    if (queue.bytes === 0) {
      this.waiting = undefined;
      if (queue.ended && !this.localEnded) this.end(queue.trailers);
    }
    if (sentInAll === 0) return;
    this.stalledSinceMs = -1;
    this.connection.memory.moved(this);
    this.receiver.onSent(this, sentInAll);
  }
}

/** Short pieces are put together; otherwise their overhead would be unlimited although their octets are not. */
const leastChunkBytes = 1024;

/** Waiting octets, first in first out. */
class Waiting {
  readonly chunks: (Buffer | undefined)[] = [];
  /** Where each chunk's octets end. */
  readonly ends: number[] = [];
  first = 0;
  /** Octets already sent of the first chunk. */
  offset = 0;
  bytes = 0;
  ended = false;
  trailers: readonly Field[] | undefined;

  add(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    const last = this.chunks.length - 1;
    let from = start;
    if (last >= this.first) {
      const chunk = this.chunks[last] as Buffer;
      const used = this.ends[last] as number;
      const copied = buffer.copy(chunk, used, from, Math.min(end, from + chunk.length - used));
      this.ends[last] = used + copied;
      from += copied;
      if (from === end) return;
    }
    const chunk = Buffer.allocUnsafe(Math.max(end - from, leastChunkBytes));
    this.ends.push(buffer.copy(chunk, 0, from, end));
    this.chunks.push(chunk);
  }

  took(bytes: number): void {
    this.bytes -= bytes;
    this.offset += bytes;
    if (this.offset < (this.ends[this.first] as number)) return;
    this.chunks[this.first++] = undefined;
    this.offset = 0;
    if (this.first < 64) return;
    this.chunks.splice(0, this.first);
    this.ends.splice(0, this.first);
    this.first = 0;
  }
}

/** For streams whose end is no longer of interest. */
export const nobody: Receiver = {
  onHead: () => undefined,
  onData: (stream, _buffer, start, end) => stream.consumed(end - start),
  onTrailers: () => undefined,
  onReset: () => undefined,
  onSent: () => undefined,
};

const noBytes = Buffer.alloc(0);
