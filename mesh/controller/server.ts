/** gRPC over HTTP/2 over TLS 1.3: takes calls, identifies the caller, and hands messages to identity and sessions. */
import { constants as crypto } from 'node:crypto';
import type { X509Certificate } from 'node:crypto';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { Refusal, type RefusalReason } from '../identity/attestor.js';
import type { CertificateAuthority, ClientCertificate } from '../identity/authority.js';
import { parseIdentity } from '../identity/names.js';
import { dnsNames } from '../identity/x509.js';
import { FrameError, frameMessage, grpcStatus, MessageSplitter } from './api/framing.js';
import {
  certifyPath,
  decodeCertifyRequest,
  decodeProxyMessage,
  encodeCertifyResponse,
  type Hello,
  type ProxyMessage,
  protocolVersion,
  streamPath,
} from './api/messages.js';
import { WireError } from './api/wire.js';
import { answerTimeoutMs, type Sessions } from './sessions.js';
import type { Session } from './session.js';

/** A hello names all objects that a proxy knows; ten thousand names fit. */
const maxMessageBytes = 4 * 1024 * 1024;
const maxCertifyBytes = 64 * 1024;
/**
 * A caller that asks for a certificate has proven nothing yet: this limits the total memory and the time for such
 * callers.
 */
const maxUnprovenBytes = 16 * 1024 * 1024;
const certifyLimitMs = 10_000;
const handshakeLimitMs = 10_000;
/** Closes connections without a call: proxies keep theirs for a stream, and close it after a certificate. */
const idleLimitMs = 30_000;
/**
 * OpenSSL's side of a connection keeps a buffer of the largest write for as long as the connection lasts: a first
 * update of 30 kB, written whole, costs each of thousands of proxies that much.
 */
const pieceBytes = 8 * 1024;

export interface ServerCredentials {
  /** PEM. */
  key: string;
  cert: string;
  ca: string[];
}

export interface ServerParts {
  authority: CertificateAuthority;
  sessions: Sessions;
  clock: Clock;
  /** The reason why a proxy with that identity is not the workload that it claims to be. */
  whyNot?: (identity: string, claim: Hello) => string | undefined;
}

/** From this text a proxy learns that it needs another certificate, and not another controller. */
export const deniedText = 'the certificate is denied: join again with a token';

class CallError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const statusOf: Record<RefusalReason, number> = {
  'bad-request': grpcStatus.invalidArgument,
  'bad-token': grpcStatus.unauthenticated,
  'expired-token': grpcStatus.unauthenticated,
  'replayed-token': grpcStatus.permissionDenied,
  'wrong-identity': grpcStatus.permissionDenied,
  'expired-certificate': grpcStatus.unauthenticated,
  'untrusted-certificate': grpcStatus.unauthenticated,
  'denied-certificate': grpcStatus.unauthenticated,
  frozen: grpcStatus.unavailable,
  'issuer-unavailable': grpcStatus.unavailable,
};

export class ControlServer {
  readonly #server: http2.Http2SecureServer;
  /** With the number of its proxies' streams. */
  readonly #connections = new Map<http2.ServerHttp2Session, number>();
  readonly #streams = new Map<http2.ServerHttp2Stream, Session>();
  readonly #parts: ServerParts;
  #sweep: Timer | undefined;
  /** Bytes of incomplete certificate requests. */
  #unprovenBytes = 0;
  #trusted: string;
  /** Connections that were verified with an earlier trust bundle. */
  #outdated = new WeakSet<http2.Http2Session>();
  /** For drills: streams are cut, and not taken. */
  refusing: () => boolean = () => false;

  constructor(credentials: ServerCredentials, parts: ServerParts) {
    this.#parts = parts;
    this.#trusted = credentials.ca.join();
    this.#server = http2.createSecureServer({
      ...credentials,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // A joining workload has no certificate yet; each call checks for itself.
      rejectUnauthorized: false,
      // A resumed session would keep a verdict on a trust bundle that may have changed since.
      secureOptions: crypto.SSL_OP_NO_TICKET,
      settings: { enablePush: false, maxConcurrentStreams: 16, headerTableSize: 0 },
      maxDeflateDynamicTableSize: 0,
      handshakeTimeout: handshakeLimitMs,
      maxSessionMemory: 8,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    });
    this.#server.on('session', (session) => {
      this.#connections.set(session, 0);
      session.on('close', () => this.#connections.delete(session));
      session.on('error', () => session.destroy());
      // Measures idle time; a connection with a proxy's stream is left alone.
      session.setTimeout(idleLimitMs, () => {
        if (!this.#connections.get(session)) session.destroy();
      });
    });
    this.#server.on('stream', (stream, headers) => this.#take(stream, headers));
    this.#server.on('sessionError', () => undefined);
  }

  /** Resolves to the port. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, 4096, resolve);
    });
    this.#server.on('error', () => undefined);
    this.#sweep = this.#parts.clock.every(5000, () => this.#cutOffSilent());
    return (this.#server.address() as AddressInfo).port;
  }

  /** Applies to later connections; ends streams whose certificate the new bundle does not prove. */
  setCredentials(credentials: ServerCredentials): void {
    this.#server.setSecureContext({ ...credentials, minVersion: 'TLSv1.3' });
    if (credentials.ca.join() === this.#trusted) return;
    this.#trusted = credentials.ca.join();
    for (const connection of this.#connections.keys()) this.#outdated.add(connection);
    for (const stream of this.#streams.keys()) {
      const client = this.#clientOf(stream);
      if (client?.trusted) continue;
      end(stream, grpcStatus.unauthenticated, 'the certificate is of no current trust anchor');
    }
  }

  /** Ends the streams of proxies whose certificate is denied. */
  cutDenied(): void {
    for (const stream of this.#streams.keys()) {
      const client = this.#clientOf(stream);
      if (client && this.#parts.authority.isDenied(client.certificate))
        end(stream, grpcStatus.unauthenticated, deniedText);
    }
  }

  /** TLS verified the client with the bundle of that time: if the bundle has changed, the chain is verified again. */
  #clientOf(stream: http2.ServerHttp2Stream): ClientCertificate | undefined {
    const { session } = stream;
    const socket = session?.socket as TLSSocket | undefined;
    const certificate: X509Certificate | undefined = socket?.getPeerX509Certificate();
    if (!session || !socket || !certificate) return undefined;
    const { authority } = this.#parts;
    const isCurrent = !this.#outdated.has(session);
    const trusted =
      socket.authorized &&
      (isCurrent || authority.provesChain(certificate)) &&
      !authority.isDenied(certificate);
    return { certificate, trusted };
  }

  /** Ends all streams, so that proxies connect elsewhere; returns their number. */
  cutStreams(): number {
    const count = this.#streams.size;
    for (const stream of this.#streams.keys()) end(stream, grpcStatus.unavailable, 'cut');
    return count;
  }

  /** Stops taking calls; proxies are told to connect elsewhere (GOAWAY), then cut. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    this.cutStreams();
    for (const connection of this.#connections.keys()) connection.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const timer = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.destroy();
    }, 500);
    await closed;
    clearTimeout(timer);
  }

  #take(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    stream.on('error', () => stream.destroy());
    if (headers[':method'] !== 'POST' || !headers['content-type']?.startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      setImmediate(() => stream.close(http2.constants.NGHTTP2_NO_ERROR));
      return;
    }
    if (headers[':path'] === certifyPath) this.#takeCertify(stream);
    else if (headers[':path'] === streamPath) this.#takeStream(stream);
    else end(stream, grpcStatus.unimplemented, `no method ${headers[':path']}`);
  }

  #takeCertify(stream: http2.ServerHttp2Stream): void {
    const splitter = new MessageSplitter(maxCertifyBytes);
    let message: Buffer | undefined;
    let kept = 0;
    const keep = (bytes: number): void => {
      this.#unprovenBytes += bytes - kept;
      kept = bytes;
    };
    const timer = this.#parts.clock.after(certifyLimitMs, () =>
      end(stream, grpcStatus.deadlineExceeded, 'the complete request did not come in time'),
    );
    stream.on('close', () => {
      timer.cancel();
      keep(0);
    });
    stream.on('data', (chunk: Buffer) => {
      if (stream.headersSent) return;
      try {
        for (const m of splitter.push(chunk)) {
          if (message) throw new CallError(grpcStatus.invalidArgument, 'a second message');
          message = m;
        }
        keep(splitter.pendingBytes + (message?.length ?? 0));
        if (this.#unprovenBytes > maxUnprovenBytes) {
          throw new CallError(grpcStatus.resourceExhausted, 'too many requests at once');
        }
      } catch (error) {
        const [status, text] = describe(error);
        message = undefined;
        keep(0);
        end(stream, status, text);
      }
    });
    stream.on('end', () => {
      timer.cancel();
      void this.#certify(stream, message);
    });
  }

  async #certify(stream: http2.ServerHttp2Stream, message: Buffer | undefined): Promise<void> {
    if (stream.headersSent || stream.destroyed) return;
    try {
      if (!message) throw new CallError(grpcStatus.invalidArgument, 'no message');
      const request = decodeCertifyRequest(message);
      const response = await this.#parts.authority.certify(request, this.#clientOf(stream));
      if (stream.destroyed || stream.headersSent) return;
      respond(stream);
      stream.write(frameMessage(encodeCertifyResponse(response)));
      end(stream, grpcStatus.ok, '');
    } catch (error) {
      const [status, text] = describe(error);
      end(stream, status, text);
    }
  }

  #takeStream(stream: http2.ServerHttp2Stream): void {
    let identity: string;
    try {
      if (this.refusing()) throw new CallError(grpcStatus.unavailable, 'a drill refuses streams');
      identity = this.#identityOf(stream);
    } catch (error) {
      const [status, text] = describe(error);
      return end(stream, status, text);
    }
    respond(stream);
    const connection = stream.session as http2.ServerHttp2Session;
    const splitter = new MessageSplitter(maxMessageBytes);
    stream.on('data', (chunk: Buffer) => {
      if (stream.writableEnded) return;
      try {
        for (const bytes of splitter.push(chunk)) {
          this.#hear(stream, connection, identity, decodeProxyMessage(bytes));
        }
      } catch (error) {
        const [status, text] = describe(error);
        end(stream, status, text);
      }
    });
    stream.on('end', () => end(stream, grpcStatus.ok, ''));
    stream.on('close', () => {
      const session = this.#streams.get(stream);
      if (!this.#streams.delete(stream)) return;
      this.#countStreams(connection, -1);
      if (session) this.#parts.sessions.close(session);
    });
  }

  #countStreams(connection: http2.ServerHttp2Session, change: 1 | -1): void {
    const count = this.#connections.get(connection);
    if (count !== undefined) this.#connections.set(connection, count + change);
  }

  #hear(
    stream: http2.ServerHttp2Stream,
    connection: http2.ServerHttp2Session,
    identity: string,
    message: ProxyMessage,
  ): void {
    const { sessions } = this.#parts;
    const session = this.#streams.get(stream);
    if (message.kind === 'hello') {
      if (session) throw new CallError(grpcStatus.failedPrecondition, 'a second hello');
      this.#streams.set(
        stream,
        sessions.open(identity, this.#checked(message.hello, identity), {
          send: (frame) => writeInPieces(stream, frame),
        }),
      );
      this.#countStreams(connection, 1);
      return;
    }
    if (!session)
      throw new CallError(grpcStatus.failedPrecondition, 'the first message must be a hello');
    if (message.kind === 'subscribe') {
      if (message.issuer !== undefined) session.issuer = message.issuer.slice(0, 64);
      sessions.subscribe(session, message.add, message.remove);
    } else sessions.acknowledge(session, message.version, message.error);
  }

  /** The verified name of the client's certificate; throws CallError when there is none. */
  #identityOf(stream: http2.ServerHttp2Stream): string {
    const client = this.#clientOf(stream);
    if (!client?.trusted) {
      const socket = stream.session?.socket as TLSSocket | undefined;
      if (client && this.#parts.authority.isDenied(client.certificate))
        throw new CallError(grpcStatus.unauthenticated, deniedText);
      const why = client && socket ? `: ${String(socket.authorizationError)}` : '';
      throw new CallError(grpcStatus.unauthenticated, `a certificate of the mesh is needed${why}`);
    }
    const [identity = ''] = dnsNames(client.certificate);
    if (parseIdentity(identity)?.trustDomain !== this.#parts.authority.trustDomain) {
      throw new CallError(grpcStatus.permissionDenied, `${identity} is not of this trust domain`);
    }
    return identity;
  }

  /** A workload may speak only for itself: its namespace must match, and a source may know the workload's identity. */
  #checked(hello: Hello, identity: string): Hello {
    if (hello.protocol !== protocolVersion) {
      const text = `protocol ${hello.protocol} is not spoken here, but ${protocolVersion}`;
      throw new CallError(grpcStatus.failedPrecondition, text);
    }
    if (hello.namespace !== parseIdentity(identity)?.namespace) {
      const text = `${identity} cannot speak for namespace ${hello.namespace}`;
      throw new CallError(grpcStatus.permissionDenied, text);
    }
    const why = this.#parts.whyNot?.(identity, hello);
    if (why !== undefined) throw new CallError(grpcStatus.permissionDenied, why);
    return hello;
  }

  #cutOffSilent(): void {
    const before = this.#parts.clock.nowMs() - answerTimeoutMs;
    for (const [stream, session] of this.#streams) {
      if ((session.unacknowledgedSinceMs ?? Infinity) < before) {
        end(stream, grpcStatus.unavailable, 'no answer to an update');
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    }
  }
}

function describe(error: unknown): [number, string] {
  if (error instanceof CallError) return [error.status, error.message];
  if (error instanceof Refusal) return [statusOf[error.reason], error.message];
  if (error instanceof WireError || error instanceof FrameError) {
    return [grpcStatus.invalidArgument, error.message];
  }
  return [grpcStatus.internal, messageOf(error)];
}

function respond(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
}

/** Writes each piece after the one before it is with the kernel. */
function writeInPieces(stream: http2.ServerHttp2Stream, frame: Buffer, from = 0): void {
  if (stream.destroyed || stream.writableEnded) return;
  const to = from + pieceBytes;
  if (to >= frame.length) stream.write(from === 0 ? frame : frame.subarray(from));
  else stream.write(frame.subarray(from, to), () => writeInPieces(stream, frame, to));
}

/**
 * Ends a call with its status, in trailers, or alone if no message was sent yet. Then ends the stream as a whole, so
 * that bytes of a client that goes on sending are dropped.
 */
function end(stream: http2.ServerHttp2Stream, status: number, message: string): void {
  if (stream.destroyed || stream.closed || stream.writableEnded) return;
  const trailers = {
    'grpc-status': String(status),
    ...(message && { 'grpc-message': encodeURIComponent(message).replaceAll('%20', ' ') }),
  };
  const close = (): void => void setImmediate(() => stream.close(http2.constants.NGHTTP2_NO_ERROR));
  if (!stream.headersSent) {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', ...trailers },
      { endStream: true },
    );
    return close();
  }
  stream.once('wantTrailers', () => {
    stream.sendTrailers(trailers);
    close();
  });
  stream.end();
}
