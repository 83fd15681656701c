/** The messages of firedrill.proto as values, to and from their wire form. */
import { readWire, WireError, WireWriter } from './wire.js';

export const protocolVersion = 1;
export const certifyPath = '/firedrill.control.v1.Identity/Certify';
export const streamPath = '/firedrill.control.v1.Control/Stream';

export const kinds = { destination: 1, servers: 2, settings: 3, bundle: 4 } as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

export interface Resource {
  kind: Kind;
  name: string;
  version: string;
  /** Empty when only the name matters. */
  json: Buffer;
}

export interface CertifyRequest {
  identity: string;
  csr: Buffer;
  token: string;
}

export interface CertifyResponse {
  chain: Buffer[];
  trustAnchors: Buffer[];
  notBeforeMs: number;
  notAfterMs: number;
  timeMs: number;
}

export interface Hello {
  protocol: number;
  workload: string;
  namespace: string;
  labels: Record<string, string>;
  subscribe: string[];
  known: Resource[];
  proxyVersion: string;
  timeMs: number;
  /** Hex SHA-256 of the issuer of the proxy's certificate; absent from proxies of earlier versions. */
  issuer?: string;
}

export type ProxyMessage =
  | { kind: 'hello'; hello: Hello }
  | { kind: 'issuer'; issuer: string }
  | { kind: 'ack'; version: number; error: string };

export interface Update {
  version: number;
  snapshot: boolean;
  resources: Resource[];
  removed: Resource[];
  timeMs: number;
  more: boolean;
}

const none: Buffer = Buffer.alloc(0);

export function encodeCertifyRequest(m: CertifyRequest): Buffer {
  return new WireWriter().string(1, m.identity).bytes(2, m.csr).string(3, m.token).finish();
}

export function decodeCertifyRequest(buffer: Buffer): CertifyRequest {
  const m: CertifyRequest = { identity: '', csr: none, token: '' };
  for (const f of readWire(buffer)) {
    if (f.number === 1) m.identity = f.string();
    else if (f.number === 2) m.csr = f.bytes();
    else if (f.number === 3) m.token = f.string();
  }
  return m;
}

export function encodeCertifyResponse(m: CertifyResponse): Buffer {
  const w = new WireWriter();
  for (const der of m.chain) w.bytes(1, der);
  for (const der of m.trustAnchors) w.bytes(2, der);
  return w.uint(3, m.notBeforeMs).uint(4, m.notAfterMs).uint(5, m.timeMs).finish();
}

export function decodeCertifyResponse(buffer: Buffer): CertifyResponse {
  const m: CertifyResponse = {
    chain: [],
    trustAnchors: [],
    notBeforeMs: 0,
    notAfterMs: 0,
    timeMs: 0,
  };
  for (const f of readWire(buffer)) {
    if (f.number === 1) m.chain.push(f.bytes());
    else if (f.number === 2) m.trustAnchors.push(f.bytes());
    else if (f.number === 3) m.notBeforeMs = f.uint();
    else if (f.number === 4) m.notAfterMs = f.uint();
    else if (f.number === 5) m.timeMs = f.uint();
  }
  return m;
}

export function encodeResource(r: Resource): Buffer {
  const w = new WireWriter().uint(1, r.kind).string(2, r.name).string(3, r.version);
  if (r.json.length > 0) w.bytes(4, r.json);
  return w.finish();
}

function decodeResource(buffer: Buffer): Resource {
  let kind = 0;
  const r = { name: '', version: '', json: none };
  for (const f of readWire(buffer)) {
    if (f.number === 1) kind = f.uint();
    else if (f.number === 2) r.name = f.string();
    else if (f.number === 3) r.version = f.string();
    else if (f.number === 4) r.json = f.bytes();
  }
  // A kind of a later protocol passes through: the receiver skips unknown kinds.
  return { kind: kind as Kind, ...r };
}

export function encodeProxyMessage(m: ProxyMessage): Buffer {
  const w = new WireWriter();
  switch (m.kind) {
    case 'hello':
      return w.bytes(1, encodeHello(m.hello)).finish();
    case 'issuer':
      return w.bytes(2, new WireWriter().string(3, m.issuer).finish()).finish();
    case 'ack':
      return w.bytes(3, new WireWriter().uint(1, m.version).string(2, m.error).finish()).finish();
  }
}

function encodeHello(m: Hello): Buffer {
  const w = new WireWriter().uint(1, m.protocol).string(2, m.workload).string(3, m.namespace);
  for (const [key, value] of Object.entries(m.labels)) {
    w.bytes(4, new WireWriter().string(1, key).string(2, value).finish());
  }
  w.strings(5, m.subscribe);
  for (const r of m.known) w.bytes(6, encodeResource({ ...r, json: none }));
  w.string(7, m.proxyVersion).uint(8, m.timeMs);
  return w.string(9, m.issuer ?? '').finish();
}

export function decodeProxyMessage(buffer: Buffer): ProxyMessage {
  for (const f of readWire(buffer)) {
    if (f.number === 1) return { kind: 'hello', hello: decodeHello(f.bytes()) };
    if (f.number === 2) {
      const m = { kind: 'issuer' as const, issuer: '' };
      for (const s of readWire(f.bytes())) if (s.number === 3) m.issuer = s.string();
      return m;
    }
    if (f.number === 3) {
      const m = { kind: 'ack' as const, version: 0, error: '' };
      for (const a of readWire(f.bytes())) {
        if (a.number === 1) m.version = a.uint();
        else if (a.number === 2) m.error = a.string();
      }
      return m;
    }
  }
  throw new WireError('a message of no known kind');
}

function decodeHello(buffer: Buffer): Hello {
  const m: Hello = {
    protocol: 0,
    workload: '',
    namespace: '',
    labels: {},
    subscribe: [],
    known: [],
    proxyVersion: '',
    timeMs: 0,
  };
  for (const f of readWire(buffer)) {
    if (f.number === 1) m.protocol = f.uint();
    else if (f.number === 2) m.workload = f.string();
    else if (f.number === 3) m.namespace = f.string();
    else if (f.number === 4) addLabel(m.labels, f.bytes());
    else if (f.number === 5) m.subscribe.push(f.string());
    else if (f.number === 6) m.known.push(decodeResource(f.bytes()));
    else if (f.number === 7) m.proxyVersion = f.string();
    else if (f.number === 8) m.timeMs = f.uint();
    else if (f.number === 9) m.issuer = f.string();
  }
  return m;
}

function addLabel(labels: Record<string, string>, entry: Buffer): void {
  let key = '';
  let value = '';
  for (const f of readWire(entry)) {
    if (f.number === 1) key = f.string();
    else if (f.number === 2) value = f.string();
  }
  // Plain assignment would lose a label called __proto__.
  Object.defineProperty(labels, key, { value, enumerable: true, configurable: true });
}

/** `resources` and `removed` are already encoded: one encoding serves every proxy. */
export function encodeUpdate(m: {
  version: number;
  snapshot: boolean;
  resources: readonly Buffer[];
  removed: readonly Buffer[];
  timeMs: number;
  more: boolean;
}): Buffer {
  const w = new WireWriter().uint(1, m.version).bool(2, m.snapshot);
  for (const r of m.resources) w.bytes(3, r);
  for (const r of m.removed) w.bytes(4, r);
  return w.uint(6, m.timeMs).bool(7, m.more).finish();
}

export function decodeUpdate(buffer: Buffer): Update {
  const m: Update = {
    version: 0,
    snapshot: false,
    resources: [],
    removed: [],
    timeMs: 0,
    more: false,
  };
  for (const f of readWire(buffer)) {
    if (f.number === 1) m.version = f.uint();
    else if (f.number === 2) m.snapshot = f.uint() !== 0;
    else if (f.number === 3) m.resources.push(decodeResource(f.bytes()));
    else if (f.number === 4) m.removed.push(decodeResource(f.bytes()));
    else if (f.number === 6) m.timeMs = f.uint();
    else if (f.number === 7) m.more = f.uint() !== 0;
  }
  return m;
}
