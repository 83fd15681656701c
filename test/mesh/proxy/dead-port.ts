/** A port that refuses connections for as long as the test's process lives. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Kept, because a socket that nobody holds is collected and closed. */
const held: Socket[] = [];

/** The local port of a connection: nobody listens there, and nobody gets it. A closed listener could lose its own. */
export async function deadPort(): Promise<number> {
  const server = createServer((socket) => void held.push(socket.unref())).unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').unref();
  await new Promise<void>((resolve) => void socket.once('connect', resolve));
  held.push(socket);
  return socket.localPort as number;
}
