/**
 * The original destination of a redirected connection: getsockopt(SO_ORIGINAL_DST), which Node does not offer. Called
 * through koffi, which is loaded only in transparent mode.
 */
import type { Socket } from 'node:net';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';

const solIp = 0;
const solIpv6 = 41;
/** The same number in both address families. */
const soOriginalDst = 80;
/** Size of sockaddr_in6, the larger of the two. */
const addressBytes = 28;

export interface OriginalDestination {
  /** `ip:port`; undefined when the connection was not redirected. */
  read(this: void, socket: Socket): string | undefined;
}

type GetSockOpt = (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  length: Uint32Array,
) => number;

/** Throws a UserError when the platform does not support it. */
export async function originalDestination(): Promise<OriginalDestination> {
  let getsockopt: GetSockOpt;
  try {
    if (process.platform !== 'linux') throw new Error(`not on ${process.platform}`);
    const { default: koffi } = await import('koffi');
    const library = koffi.load(null);
    getsockopt = library.func(
      'int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)',
    ) as unknown as GetSockOpt;
  } catch (error) {
    throw new UserError(
      `transparent mode cannot read original destinations: ${messageOf(error)}`,
      exitCode.environment,
    );
  }
  const address = Buffer.alloc(addressBytes);
  const length = new Uint32Array(1);
  return {
    read(socket) {
      const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
      if (fd === undefined || fd < 0) return undefined;
      const isV6 = socket.remoteFamily === 'IPv6' && !socket.remoteAddress?.startsWith('::ffff:');
      length[0] = addressBytes;
      if (getsockopt(fd, isV6 ? solIpv6 : solIp, soOriginalDst, address, length) !== 0) {
        return undefined;
      }
      return isV6 ? sixOf(address) : fourOf(address);
    },
  };
}

const fourOf = (b: Buffer): string => `${b[4]}.${b[5]}.${b[6]}.${b[7]}:${b.readUInt16BE(2)}`;

function sixOf(bytes: Buffer): string {
  const groups: string[] = [];
  for (let i = 8; i < 24; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  // Formats the address as elsewhere: URL knows the rules.
  const { hostname } = new URL(`http://[${groups.join(':')}]`);
  return `${hostname}:${bytes.readUInt16BE(2)}`;
}
