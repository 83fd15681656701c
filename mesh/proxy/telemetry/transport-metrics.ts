/** Counters of connections and bytes: plain numbers that the fronts raise, read at scrape time. */
import type { TlsLabel } from '../flow/contract.js';

export type Direction = 'inbound' | 'outbound';
/** The client's side of the proxy, or the server's. */
export type PeerSide = 'src' | 'dst';

export interface TransportLabels {
  readonly direction: Direction;
  readonly peer: PeerSide;
  readonly tls: TlsLabel;
}

/** One for each set of labels: raise `openTotal` and `open` as a connection opens; lower `open` as it closes. */
export class TransportMetrics {
  readonly labels: TransportLabels;
  openTotal = 0;
  open = 0;
  closedSuccess = 0;
  closedFailure = 0;
  readBytes = 0;
  writtenBytes = 0;

  constructor(labels: TransportLabels) {
    this.labels = labels;
  }

  opened(): void {
    this.openTotal++;
    this.open++;
  }

  closed(failed: boolean): void {
    this.open--;
    if (failed) this.closedFailure++;
    else this.closedSuccess++;
  }
}
