/** Parses `host:port`, or a port alone, which means loopback. */
import { UserError } from '../../base/errors.js';
import { hostPort } from '../../base/host-port.js';
import type { Address } from './relay.js';

export function readAddress(text: string): Address {
  const bare = text.replace(/^\w+:\/\//, '').replace(/\/$/, '');
  const address = hostPort(/^\d+$/.test(bare) ? `127.0.0.1:${bare}` : bare);
  if (address && address.host !== '') return address;
  throw new UserError({ message: `bad address '${text}'`, expected: 'host:port, or a port' });
}
