/** `host:port`, or a port alone, which is one of loopback. */
import { UserError } from '../../base/errors.js';
import type { Address } from './relay.js';

export function readAddress(text: string): Address {
  const match = /^(?:(?:\w+:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s:/]+):)?(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[2]);
  if (match && port <= 65_535) {
    return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
  }
  throw new UserError({ message: `bad address '${text}'`, expected: 'host:port, or a port' });
}
