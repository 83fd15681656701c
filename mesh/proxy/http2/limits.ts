/** The bounds of connections, and what all connections of a front share. */
import type { Clock } from '../../../base/clock.js';
import type { Holdings } from '../listen/holdings.js';

export interface ConnectionLimits {
  /** Streams that one client may have open at once. */
  maxStreams: number;
  /** What a stream, and a connection, may send before anything of it is passed on, in bytes. */
  streamWindow: number;
  connectionWindow: number;
  /**
   * Received on one connection and not passed on: beyond it, its window is given back only as
   * this shrinks.
   */
  maxBufferedBytes: number;
  /** Answers that the peer does not read: beyond it the connection is closed. */
  maxBacklogBytes: number;
  /** Names and values of one head with 32 octets for each, and a block as sent. */
  maxHeaderListBytes: number;
  /** For the preface, for the rest of a frame, of a header block. */
  unfinishedMs: number;
  /** Without streams, before a connection is closed. */
  idleMs: number;
  /** Nothing read while streams are open, before a PING asks whether the peer is there. */
  silentMs: number;
  /**
   * Octets that wait for a reader who takes none: its stream is reset. While memory is short much
   * sooner.
   */
  stalledMs: number;
  /** Connections to one endpoint. */
  maxSessions: number;
}

export const defaultLimits: ConnectionLimits = {
  maxStreams: 1000,
  streamWindow: 256 * 1024,
  connectionWindow: 1024 * 1024,
  maxBufferedBytes: 4 * 1024 * 1024,
  maxBacklogBytes: 1024 * 1024,
  maxHeaderListBytes: 64 * 1024,
  unfinishedMs: 10_000,
  idleMs: 600_000,
  silentMs: 30_000,
  maxSessions: 16,
  stalledMs: 300_000,
};

export interface Shared {
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  /** Beyond its limit windows stay shut and new streams are refused. */
  readonly memory: Holdings;
}
