/** gRPC calls to one controller over node:http2, without a gRPC library, which would cost a proxy 10 MB. */
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../base/clock.js';
import { connectUnnamed } from '../../../base/connect-tls.js';
import { frameMessage, grpcStatus, MessageSplitter } from '../api/framing.js';
import { peerX509 } from '../../proxy/tls/peer-certificate.js';

const maxMessageBytes = 64 * 1024 * 1024;
/** Without any answer the controller's machine is not there. */
const connectTimeoutMs = 5000;
/** Thousands of proxies may return at once to a controller that has started again. */
const handshakeTimeoutMs = 10_000;
/** A controller that hangs must not hold up a renewal until the certificate has expired. */
const answerTimeoutMs = 20_000;

export interface Credentials {
  /** PEM, all trusted. */
  anchors: readonly string[];
  /** PEM; absent before the first certificate. */
  chain?: string;
  key?: string;
}

/** A call that ended with a status other than OK, or a failed connection (`unavailable`). */
export class CallFailed extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'CallFailed';
    this.status = status;
  }
}

/** The credentials, read: 2 ms of work, which need not be done for each attempt. Throws if they do not fit together. */
export const contextOf = ({ anchors, chain, key }: Credentials): SecureContext =>
  createSecureContext({
    ca: [...anchors],
    ...(chain !== undefined && { cert: chain }),
    ...(key !== undefined && { key }),
    minVersion: 'TLSv1.3',
  });

/** Connects over TLS 1.3 and checks the controller's name. Rejects with CallFailed. */
export async function connect(
  address: string,
  serverName: string,
  secureContext: SecureContext,
): Promise<ClientHttp2Session> {
  // Loaded here, so that only a proxy with a controller pays for node:http2.
  const http2 = await import('node:http2');
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      session.destroy();
      reject(new CallFailed(grpcStatus.unavailable, `${address}: ${why}`));
    };
    let timer = setTimeout(() => fail('no connection in time'), connectTimeoutMs).unref();
    const { hostname, port } = new URL(`https://${address}`);
    const socket = connectUnnamed({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || 443),
      servername: serverName,
      secureContext,
      ALPNProtocols: ['h2'],
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail('no TLS handshake in time'), handshakeTimeoutMs).unref();
    });
    const session = http2.connect(`https://${address}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    session.once('connect', () => {
      clearTimeout(timer);
      if (isNamed(socket, serverName)) resolve(session);
      else fail(`its certificate is not for ${serverName}`);
    });
    session.on('error', (error) => fail(error.message));
  });
}

const isNamed = (socket: TLSSocket, name: string): boolean =>
  peerX509(socket)?.checkHost(name, { subject: 'never', wildcards: false }) !== undefined;

/** Sends one message and receives one. Rejects with CallFailed, also if there is no answer in time. */
export function call(
  session: ClientHttp2Session,
  path: string,
  message: Buffer,
  clock: Clock,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    const timer = clock.after(answerTimeoutMs, () =>
      stream.destroy(new Error('no answer in time')),
    );
    const stream = openStream(session, path, {
      message: (m) => {
        answer = m;
      },
      end: (failure) => {
        timer.cancel();
        if (failure) reject(failure);
        else if (answer) resolve(answer);
        else reject(new CallFailed(grpcStatus.internal, 'no message in the answer'));
      },
    });
    stream.end(frameMessage(message));
  });
}

/** A bidirectional call. `end` is called once; without an argument when the status was OK. */
export function openStream(
  session: ClientHttp2Session,
  path: string,
  on: { message(message: Buffer): void; end(failure: CallFailed | undefined): void },
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const splitter = new MessageSplitter(maxMessageBytes);
  let status: number | undefined;
  let text = '';
  let failure: CallFailed | undefined;
  const readStatus = (headers: Record<string, unknown>): void => {
    if (headers['grpc-status'] === undefined) return;
    status = Number(headers['grpc-status']);
    text = decodeText(String(headers['grpc-message'] ?? ''));
  };
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) {
      failure = new CallFailed(grpcStatus.unavailable, `HTTP status ${headers[':status']}`);
    }
    readStatus(headers);
  });
  stream.on('trailers', readStatus);
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const message of splitter.push(chunk)) on.message(message);
    } catch (error) {
      failure ??= new CallFailed(grpcStatus.internal, (error as Error).message);
      stream.destroy();
    }
  });
  stream.on('error', (error) => {
    failure ??= new CallFailed(grpcStatus.unavailable, error.message);
  });
  stream.on('close', () => {
    if (!failure && status !== grpcStatus.ok) {
      failure = new CallFailed(status ?? grpcStatus.unavailable, text || 'the stream was cut');
    }
    on.end(failure);
  });
  return stream;
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
