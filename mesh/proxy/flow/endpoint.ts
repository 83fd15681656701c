/** One address that requests are sent to. */
import type { Endpoint } from '../../model.js';
import type { EndpointState } from './contract.js';

export class EndpointRecord implements EndpointState {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly identity: string | undefined;
  readonly http2: boolean;
  readonly maxConnections = 1024;
  readonly maxPending = 1024;
  pool: unknown = undefined;

  constructor({ address, identity, http2 = false }: Endpoint) {
    const colon = address.lastIndexOf(':');
    this.address = address;
    this.host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.port = Number(address.slice(colon + 1));
    this.identity = identity;
    this.http2 = http2;
  }
}
