/**
 * Requests that begin in one turn of the event loop: those that one read brings beyond that wait for the next turns,
 * the connections in turn. A stream that is reset meanwhile costs no attempt.
 */
import { WaitingLine } from '../listen/waiting-line.js';
import type { Receiver, Stream } from './stream.js';

const begunATurn = 32;
const line = new WaitingLine<LateStart>();
let begun = 0;
let isArmed = false;

/** A connection reads. */
export function newRead(): void {
  begun = 0;
}

/** Whether one more request of this read may begin at once. */
export function takeTurn(): boolean {
  return line.size === 0 && begun++ < begunATurn;
}

/** Calls `begin` in a later turn, unless the stream ends before. */
export function beginLater(stream: Stream, nowMs: number, begin: () => void): void {
  line.push(new LateStart(stream, begin), nowMs);
  arm();
}

function arm(): void {
  if (isArmed || line.size === 0) return;
  isArmed = true;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  isArmed = false;
  try {
    for (let i = 0; i < begunATurn; i++) line.shift()?.start();
  } finally {
    arm();
  }
}

/** Receives the events of a stream whose request has not begun. */
class LateStart implements Receiver {
  readonly client: string;
  readonly #stream: Stream;
  readonly #begin: () => void;

  constructor(stream: Stream, begin: () => void) {
    this.client = stream.connection.name;
    this.#stream = stream;
    this.#begin = begin;
    stream.receiver = this;
  }

  start(): void {
    if (!this.#stream.closed) this.#begin();
  }

  /** The body has come already: the request begins as it was before that. */
  #startBefore(): Receiver {
    const stream = this.#stream;
    const { remoteEnded } = stream;
    line.delete(this);
    stream.remoteEnded = false;
    this.#begin();
    stream.remoteEnded = remoteEnded;
    return stream.receiver;
  }

  onData(stream: Stream, buffer: Buffer, start: number, end: number, ended: boolean): void {
    this.#startBefore().onData(stream, buffer, start, end, ended);
  }

  onTrailers(stream: Stream, fields: Parameters<Receiver['onTrailers']>[1]): void {
    this.#startBefore().onTrailers(stream, fields);
  }

  onReset(): void {
    line.delete(this);
  }

  onHead(): void {
    throw new Error('an answer without a request');
  }

  onSent(): void {
    throw new Error('an answer without a request');
  }
}
