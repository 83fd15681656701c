/** The limits of connections, and the parts that all connections of a front share. */
import type { Clock } from '../../../base/clock.js';
import type { Holdings } from '../listen/holdings.js';

export interface ConnectionLimits {
  /** Streams that one client may have open at once. */
  maxStreams: number;
  /** Octets that a stream, and a connection, may send before any of them is passed on. */
  streamWindow: number;
  connectionWindow: number;
  /**
   * Octets received on one connection and not passed on: above this, the connection's window is credited only as the
   * number shrinks.
   */
  maxBufferedBytes: number;
  /** Octets of answers that the peer does not read: above this the connection is closed. */
  maxBacklogBytes: number;
  /** The size of one head: its names and values plus 32 octets for each field; also the size of a block as sent. */
  maxHeaderListBytes: number;
  /** The longest wait for the preface, or for the rest of a frame or header block. */
  unfinishedMs: number;
  /** A connection without streams is closed after this. */
  idleMs: number;
  /** When nothing was read for this long while streams are open, a PING checks whether the peer is there. */
  silentMs: number;
  /**
   * A stream is reset when its reader takes none of its waiting octets for this long; much sooner while memory is
   * short.
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
  /** Above its limit, windows stay closed and new streams are refused. */
  readonly memory: Holdings;
}
