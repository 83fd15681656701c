/**
 * The app behind the proxies in bench/http2.ts: answers at once with 512 octets, or with a gRPC message of 100 octets
 * and its status in trailers. Uses this project's own frames, since it must cost less than the measured proxies.
 * Arguments: the ports.
 */
import { createServer } from 'node:net';
import { dieWithParent } from '../base/child.js';
import { realClock } from '../base/clock.js';
import { makeField } from '../mesh/proxy/http2/hpack/intern.js';
import { defaultLimits, type Shared } from '../mesh/proxy/http2/limits.js';
import type { RequestHead } from '../mesh/proxy/http2/heads.js';
import type { Serving } from '../mesh/proxy/seam.js';
import { ServerConnection, type ServerHandler } from '../mesh/proxy/http2/server-connection.js';
import type { Receiver, Stream } from '../mesh/proxy/http2/stream.js';
import { takeOver } from '../mesh/proxy/listen/take-over.js';
import type { WireUser } from '../mesh/proxy/listen/wire.js';
import { Holdings } from '../mesh/proxy/listen/holdings.js';

dieWithParent();

const head = [
  makeField(':status', '200', true),
  makeField('content-type', 'text/plain', true),
  makeField('content-length', '512', true),
];
const body = Buffer.alloc(512, 'x');
const grpcHead = [head[0], makeField('content-type', 'application/grpc', true)].flatMap(
  (field) => field ?? [],
);
const message = Buffer.alloc(105, 'y');
message.writeUIntBE(0, 0, 1);
message.writeUInt32BE(100, 1);
const trailers = [makeField('grpc-status', '0', true)];

function answer(stream: Stream, isGrpc: boolean): void {
  stream.headers(isGrpc ? grpcHead : head, false);
  if (!isGrpc) return void stream.data(body, 0, body.length, true);
  stream.data(message, 0, message.length, false);
  stream.end(trailers);
}

class Call implements Receiver {
  readonly #isGrpc: boolean;
  constructor(isGrpc: boolean) {
    this.#isGrpc = isGrpc;
  }
  onHead(): void {}
  onData(stream: Stream, _buffer: Buffer, start: number, end: number, ended: boolean): void {
    stream.consumed(end - start);
    if (ended) answer(stream, this.#isGrpc);
  }
  onTrailers(stream: Stream): void {
    answer(stream, this.#isGrpc);
  }
  onReset(): void {}
  onSent(): void {}
}

const grpc = new Call(true);
const plain = new Call(false);

const handler: ServerHandler = {
  onRequest(stream: Stream, { isGrpc }: RequestHead, ended: boolean) {
    stream.receiver = isGrpc ? grpc : plain;
    if (ended) answer(stream, isGrpc);
  },
  onServerGone() {},
};

const shared: Shared = {
  clock: realClock,
  limits: defaultLimits,
  memory: new Holdings(1 << 28),
};
const serving: Serving = {
  peerIdentity: undefined,
  peerAddress: '127.0.0.1',
  tls: 'disabled',
  begin() {
    throw new Error('no flow here');
  },
};
const nobody: WireUser = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };

for (const port of process.argv.slice(2).map(Number)) {
  createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    const wire = takeOver(socket, nobody);
    wire.user = new ServerConnection(wire, shared, serving, handler);
    wire.resume();
  }).listen(port, '127.0.0.1');
}
