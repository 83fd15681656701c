/**
 * One try's way out, as an HTTP/1.1 client's connection writes to it: a connection of ours, or a stream of HTTP/2.
 */
export interface Lane {
  /** False: no more until upstreamDrained. */
  writeText(latin1: string): boolean;
  writeBytes(buffer: Buffer, start: number, end: number): boolean;
  /** The request is complete. */
  sentAll(): void;
  /** The answer is no longer wanted; nothing is called afterwards. */
  abort(): void;
  /** Stops the answer, and lets it go on. */
  pause(): void;
  resume(): void;
  tunnel(): void;
  /** The client sends no more through a tunnel. */
  end(): void;
  readonly trailers: string[] | undefined;
}
