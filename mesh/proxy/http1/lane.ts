/**
 * The path of one attempt, as an HTTP/1.1 client's connection writes to it: an HTTP/1.1 connection or an HTTP/2
 * stream.
 */
export interface Lane {
  /** False: wait for upstreamDrained before writing more. */
  writeText(latin1: string): boolean;
  writeBytes(buffer: Buffer, start: number, end: number): boolean;
  /** Bytes may have left. Until then nothing is lost if the request goes elsewhere. */
  readonly isOpen: boolean;
  /** The request is complete. */
  sentAll(): void;
  /** The answer is no longer wanted; no callback follows. */
  abort(): void;
  /** Stops and resumes the answer. */
  pause(): void;
  resume(): void;
  tunnel(): void;
  /** The client sends no more through a tunnel. */
  end(): void;
  /** Of a tunnel: the certificate that the endpoint showed is denied. */
  readonly isDenied?: boolean;
  readonly trailers: string[] | undefined;
}
