/** A relay between a listener and endpoints, with a flow that tests script and inspect. */
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { type Clock, realClock } from '../../../base/clock.js';
import type {
  EndpointState,
  Flow,
  HeaderEdits,
  HeaderList,
  MirrorTarget,
  Refusal,
  RequestInfo,
  TryFailure,
} from '../../../mesh/proxy/flow/contract.js';
import { Http2Front } from '../../../mesh/proxy/http2/front.js';
import type { ConnectionLimits } from '../../../mesh/proxy/http2/limits.js';
import type { Connect, OpenTry, Serving } from '../../../mesh/proxy/seam.js';
import { DeadlineWheel } from '../../../mesh/proxy/listen/deadlines.js';
import { takeOver } from '../../../mesh/proxy/listen/take-over.js';
import type { WireUser } from '../../../mesh/proxy/listen/wire.js';

/** The script for every request, or for each one. */
export interface Script {
  refusal?: Refusal;
  requestTimeoutMs?: number;
  perTryTimeoutMs?: number;
  idleTimeoutMs?: number;
  delayMs?: number;
  bytesPerSecond?: number;
  slowed?: () => void;
  retryBufferBytes?: number;
  retries?: number;
  retryDelayMs?: number;
  requestHeaders?: HeaderEdits;
  responseHeaders?: HeaderEdits;
  moreRequestHeaders?: HeaderList;
  path?: string;
  authority?: string;
  mirror?: MirrorTarget;
  retryStatuses?: number[];
  retryGrpcStatuses?: number[];
}

export const endpointAt = (port: number, http2 = true): EndpointState => ({
  address: `127.0.0.1:${port}`,
  host: '127.0.0.1',
  port,
  identity: undefined,
  http2,
  maxConnections: 16,
  maxPending: 1000,
  maxWaitMs: 1000,
  pool: undefined,
});

class ScriptedFlow implements Flow {
  readonly route = { name: 'test' };
  refusal: Refusal | undefined;
  readonly requestTimeoutMs: number;
  readonly perTryTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  readonly slowed: (() => void) | undefined;
  readonly waitMs = 0;
  readonly upgrades = [];
  readonly retryBufferBytes: number;
  readonly requestHeaders: HeaderEdits | undefined;
  readonly responseHeaders: HeaderEdits | undefined;
  readonly moreRequestHeaders: HeaderList | undefined;
  readonly path: string | undefined;
  readonly authority: string | undefined;
  readonly mirror: MirrorTarget | undefined;
  /** Events in order, for the test to check. */
  readonly log: string[] = [];
  #left: number;
  #tries = 0;

  constructor(
    readonly request: RequestInfo,
    readonly script: Script,
    readonly endpoints: readonly EndpointState[],
  ) {
    this.refusal = script.refusal;
    this.requestTimeoutMs = script.requestTimeoutMs ?? 0;
    this.perTryTimeoutMs = script.perTryTimeoutMs ?? 0;
    this.idleTimeoutMs = script.idleTimeoutMs ?? 0;
    this.delayMs = script.delayMs ?? 0;
    this.bytesPerSecond = script.bytesPerSecond ?? 0;
    this.slowed = script.slowed;
    this.retryBufferBytes = script.retryBufferBytes ?? 0;
    this.requestHeaders = script.requestHeaders;
    this.responseHeaders = script.responseHeaders;
    this.moreRequestHeaders = script.moreRequestHeaders;
    this.path = script.path;
    this.authority = script.authority;
    this.mirror = script.mirror;
    this.#left = script.retries ?? 0;
  }

  pick(): EndpointState | undefined {
    const endpoint = this.endpoints[this.#tries++ % this.endpoints.length];
    this.log.push(`pick ${endpoint?.port}`);
    return endpoint;
  }

  forbidRetry(isKept = false): void {
    if (isKept) return;
    this.log.push('forbidRetry');
    this.#left = 0;
  }

  tryFailed(failure: TryFailure): 'retry' | 'fail' {
    this.log.push(failure);
    if (failure !== 'request-timeout' && this.#left-- > 0) return 'retry';
    const late = failure.endsWith('timeout');
    this.refusal = {
      kind: 'answer',
      status: late ? 504 : 502,
      grpcStatus: this.request.isGrpc ? (late ? 4 : 14) : -1,
      headers: ['l5d-proxy-error', failure],
      body: failure,
      reason: failure,
    };
    return 'fail';
  }

  responded(status: number, grpcStatus: number): 'relay' | 'retry' {
    this.log.push(`responded ${status} ${grpcStatus}`);
    const { retryStatuses = [], retryGrpcStatuses = [] } = this.script;
    const wanted = retryStatuses.includes(status) || retryGrpcStatuses.includes(grpcStatus);
    return wanted && this.#left-- > 0 ? 'retry' : 'relay';
  }

  retryDelayMs(): number {
    return this.script.retryDelayMs ?? 0;
  }

  ended(how: string, grpcStatus: number, requestBytes: number, responseBytes: number): void {
    this.log.push(`ended ${how} ${grpcStatus} ${requestBytes} ${responseBytes}`);
  }

  get endings(): string[] {
    return this.log.filter((line) => line.startsWith('ended'));
  }
}

const nobody: WireUser = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

const connect: Connect = (endpoint, _protocols, handler) => {
  const socket = connectTcp({ host: endpoint.host, port: endpoint.port, noDelay: true });
  const failed = (): void => handler.failed('refused');
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    // Otherwise Node starts its own reading after this event.
    socket.pause();
    handler.connected(takeOver(socket, nobody), 'h2');
  });
  return { cancel: () => socket.destroy() };
};

export interface Rig {
  readonly port: number;
  readonly front: Http2Front;
  readonly flows: ScriptedFlow[];
  script: Script;
  close(): Promise<void>;
}

export async function startRig(
  endpoints: readonly EndpointState[],
  script: Script = {},
  more: {
    limits?: Partial<ConnectionLimits>;
    memoryLimitBytes?: number;
    openHttp1Try?: OpenTry;
    http1Only?: boolean;
    keepsFlows?: boolean;
    /** For the ticks of connections. */
    clock?: Clock;
  } = {},
): Promise<Rig> {
  const deadlines = new DeadlineWheel(realClock);
  const front = new Http2Front({
    clock: more.clock ?? realClock,
    deadlines,
    connect,
    ...(more.openHttp1Try ? { openHttp1Try: more.openHttp1Try } : {}),
    ...(more.limits ? { limits: more.limits } : {}),
    memoryLimitBytes: more.memoryLimitBytes ?? 32 * 1024 * 1024,
  });
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const serving: Serving = {
      peerIdentity: undefined,
      peerAddress: '127.0.0.1',
      tls: 'disabled',
      http1Only: more.http1Only ?? false,
      begin(request) {
        const flow = new ScriptedFlow(request, rig.script, endpoints);
        if (more.keepsFlows !== false) rig.flows.push(flow);
        return flow;
      },
    };
    front.accept(takeOver(socket, nobody), serving);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const rig: Rig = {
    port: (server.address() as AddressInfo).port,
    front,
    flows: [],
    script,
    async close() {
      front.abandon();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return rig;
}
