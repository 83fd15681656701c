/** Takes calls over TLS 1.3, identifies the caller, and hands messages to identity and sessions. */
import { constants as crypto } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf, notListening } from '../../base/errors.js';
import type { Place } from '../model.js';
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
import { type Call, Connections } from './calls.js';
import type { ServerConnection } from '../proxy/http2/server-connection.js';
import { peerX509 } from '../proxy/tls/peer-certificate.js';
import { answerTimeoutMs, type Sessions } from './sessions.js';
import { Strangers } from './strangers.js';
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
/** Certificate requests whose proof is being examined, maybe by the API server, also if the caller has gone. */
const maxCertifying = 512;
const handshakeLimitMs = 10_000;
/** A proxy's stream begins with a whole hello within this time. */
const helloLimitMs = 10_000;
/** Bytes of incomplete messages on all streams. */
const maxPartBytes = 64 * 1024 * 1024;
/** A hello's bytes that are kept with the stream: names, labels, the version. */
const maxClaimBytes = 64 * 1024;
/** Subscriptions are kept for as long as the stream lasts. */
const maxSubscriptions = 20_000;
const maxSubscriptionLength = 512;
/** Replicas share an identity, each with one stream; whoever has stolen a certificate could open them without end. */
export const maxStreamsEach = 4000;

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
  /** The place of the pod that has this address. */
  placeOf?: (address: string) => Place | undefined;
}

/** From this text a proxy learns that it needs another certificate, and not another controller. */
const deniedText = 'the certificate is denied: join again with a token';

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
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #strangers: Strangers;
  /** The proxies' streams. */
  readonly #streams = new Map<Call, Session>();
  readonly #parts: ServerParts;
  #sweep: Timer | undefined;
  /** Bytes of incomplete certificate requests. */
  #unprovenBytes = 0;
  #certifying = 0;
  /** Bytes of incomplete messages of proxies. */
  #partBytes = 0;
  #trusted: string;
  /** Connections that were verified with an earlier trust bundle. */
  #outdated = new WeakSet<ServerConnection>();
  /** For drills: streams are cut, and not taken. */
  refusing: () => boolean = () => false;

  constructor(credentials: ServerCredentials, parts: ServerParts) {
    this.#parts = parts;
    this.#trusted = credentials.ca.join();
    this.#connections = new Connections(parts.clock, (call) => this.#take(call));
    this.#strangers = new Strangers(parts.clock);
    this.#server = createServer({
      ...credentials,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
      requestCert: true,
      // A joining workload has no certificate yet; each call checks for itself.
      rejectUnauthorized: false,
      // A resumed session would keep a verdict on a trust bundle that may have changed since.
      secureOptions: crypto.SSL_OP_NO_TICKET,
      handshakeTimeout: handshakeLimitMs,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    });
    this.#server.on('connection', (socket) => this.#strangers.came(socket));
    this.#server.on('secureConnection', (socket) => this.#accept(socket));
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  #accept(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    if (socket.alpnProtocol !== 'h2') return void socket.destroy();
    if (socket.authorized) this.#strangers.proven(socket);
    const connection = this.#connections.accept(socket);
    if (!socket.authorized) this.#strangers.greeted(socket, () => connection.wire.destroy());
  }

  /** Resolves to the port. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(notListening(host, port, error)),
      );
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
    for (const connection of this.#connections.all) this.#outdated.add(connection);
    for (const call of this.#streams.keys()) {
      const client = this.#clientOf(call);
      if (client?.trusted) continue;
      call.end(grpcStatus.unauthenticated, 'the certificate is of no current trust anchor');
    }
  }

  /** Ends the streams of proxies whose certificate is denied. */
  cutDenied(): void {
    for (const call of this.#streams.keys()) {
      const client = this.#clientOf(call);
      if (client && this.#parts.authority.isDenied(client.certificate))
        call.end(grpcStatus.unauthenticated, deniedText);
    }
  }

  /** TLS verified the client with the bundle of that time: if the bundle has changed, the chain is verified again. */
  #clientOf({ socket, connection }: Call): ClientCertificate | undefined {
    const certificate = peerX509(socket);
    if (!certificate) return undefined;
    const { authority } = this.#parts;
    const isCurrent = !this.#outdated.has(connection);
    const trusted =
      socket.authorized &&
      (isCurrent || authority.provesChain(certificate)) &&
      // An authority could issue itself a certificate for any name.
      !certificate.ca &&
      !authority.isDenied(certificate);
    return { certificate, trusted };
  }

  /** Ends all streams, so that proxies connect elsewhere; returns their number. */
  cutStreams(): number {
    const count = this.#streams.size;
    for (const call of this.#streams.keys()) call.end(grpcStatus.unavailable, 'cut');
    return count;
  }

  /** Stops taking calls; proxies are told to connect elsewhere (GOAWAY), then cut. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    this.cutStreams();
    this.#connections.drain();
    this.#strangers.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const timer = setTimeout(() => this.#connections.close(), 500);
    await closed;
    clearTimeout(timer);
    this.#connections.close();
  }

  #take(call: Call): void {
    if (call.path === certifyPath) this.#takeCertify(call);
    else if (call.path === streamPath) this.#takeStream(call);
    else call.end(grpcStatus.unimplemented, `no method ${call.path}`);
  }

  #takeCertify(call: Call): void {
    const splitter = new MessageSplitter(maxCertifyBytes);
    let message: Buffer | undefined;
    let kept = 0;
    const keep = (bytes: number): void => {
      this.#unprovenBytes += bytes - kept;
      kept = bytes;
    };
    const timer = this.#parts.clock.after(certifyLimitMs, () =>
      call.end(grpcStatus.deadlineExceeded, 'the complete request did not come in time'),
    );
    call.hear({
      onBytes: (chunk) => {
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
          message = undefined;
          keep(0);
          call.end(...describe(error));
        }
      },
      onEnd: () => {
        timer.cancel();
        void this.#certify(call, message);
      },
      onOver: () => {
        timer.cancel();
        keep(0);
      },
    });
  }

  async #certify(call: Call, message: Buffer | undefined): Promise<void> {
    if (call.isEnding) return;
    this.#certifying++;
    try {
      if (!message) throw new CallError(grpcStatus.invalidArgument, 'no message');
      if (this.#certifying > maxCertifying) {
        throw new CallError(grpcStatus.resourceExhausted, 'too many requests at once');
      }
      const request = decodeCertifyRequest(message);
      const response = await this.#parts.authority.certify(request, this.#clientOf(call));
      call.send(frameMessage(encodeCertifyResponse(response)));
      call.end(grpcStatus.ok, '');
    } catch (error) {
      call.end(...describe(error));
    } finally {
      this.#certifying--;
    }
  }

  #takeStream(call: Call): void {
    let identity: string;
    try {
      if (this.refusing()) throw new CallError(grpcStatus.unavailable, 'a drill refuses streams');
      identity = this.#identityOf(call);
    } catch (error) {
      return call.end(...describe(error));
    }
    const splitter = new MessageSplitter(maxMessageBytes);
    let kept = 0;
    const keep = (bytes: number): void => {
      this.#partBytes += bytes - kept;
      kept = bytes;
    };
    const timer = this.#parts.clock.after(helloLimitMs, () => {
      if (!this.#streams.has(call)) call.end(grpcStatus.deadlineExceeded, 'no hello came in time');
    });
    call.hear({
      onBytes: (chunk) => {
        try {
          for (const bytes of splitter.push(chunk)) {
            this.#hear(call, identity, decodeProxyMessage(bytes));
          }
          keep(splitter.pendingBytes);
          if (this.#partBytes > maxPartBytes) {
            throw new CallError(grpcStatus.resourceExhausted, 'too many messages at once');
          }
        } catch (error) {
          call.end(...describe(error));
        }
      },
      onEnd: () => call.end(grpcStatus.ok, ''),
      onOver: () => {
        timer.cancel();
        keep(0);
        const session = this.#streams.get(call);
        if (this.#streams.delete(call) && session) this.#parts.sessions.close(session);
      },
    });
  }

  #hear(call: Call, identity: string, message: ProxyMessage): void {
    const { sessions } = this.#parts;
    const session = this.#streams.get(call);
    if (message.kind === 'hello') {
      if (session) throw new CallError(grpcStatus.failedPrecondition, 'a second hello');
      const address = call.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
      const channel = {
        send: (frame: Buffer) => call.send(frame),
        address,
        place: () => this.#parts.placeOf?.(address),
      };
      const hello = this.#checked(message.hello, identity);
      if (sessions.countOf(identity) >= maxStreamsEach) {
        const text = `${identity} has ${maxStreamsEach} streams, which is the limit`;
        throw new CallError(grpcStatus.resourceExhausted, text);
      }
      this.#streams.set(call, sessions.open(identity, hello, channel));
      return;
    }
    if (!session)
      throw new CallError(grpcStatus.failedPrecondition, 'the first message must be a hello');
    if (message.kind === 'issuer') session.issuer = message.issuer.slice(0, 64);
    else sessions.acknowledge(session, message.version, message.error);
  }

  /** The verified name of the client's certificate; throws CallError when there is none. */
  #identityOf(call: Call): string {
    const client = this.#clientOf(call);
    if (!client?.trusted) {
      if (client && this.#parts.authority.isDenied(client.certificate))
        throw new CallError(grpcStatus.unauthenticated, deniedText);
      const why = client ? `: ${String(call.socket.authorizationError)}` : '';
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
    const { workload, proxyVersion, labels } = hello;
    if (JSON.stringify([workload, proxyVersion, labels]).length > maxClaimBytes) {
      throw new CallError(grpcStatus.invalidArgument, 'more labels than a workload has');
    }
    const isLong = hello.subscribe.some((name) => name.length > maxSubscriptionLength);
    if (isLong || hello.subscribe.length > maxSubscriptions) {
      const text = `more than ${maxSubscriptions} subscriptions of ${maxSubscriptionLength} characters`;
      throw new CallError(grpcStatus.resourceExhausted, text);
    }
    const why = this.#parts.whyNot?.(identity, hello);
    if (why !== undefined) throw new CallError(grpcStatus.permissionDenied, why);
    return hello;
  }

  #cutOffSilent(): void {
    const before = this.#parts.clock.nowMs() - answerTimeoutMs;
    for (const [call, session] of this.#streams) {
      if ((session.unacknowledgedSinceMs ?? Infinity) < before) {
        call.end(grpcStatus.unavailable, 'no answer to an update');
        call.cut();
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
