/** The peer of a finished handshake: the name in its certificate, and the certificate's expiry. */
import type { TLSSocket } from 'node:tls';
import { type Denial, denialsInForce, isDenied } from '../../identity/denials.js';
import { dnsNamesIn, parseIdentity } from '../../identity/names.js';
import { type HandshakeFailure, handshakeFailure } from './failures.js';
import { type PeerCertificate, peerCertificate } from './peer-certificate.js';

export interface Peer {
  identity: string;
  /** Wall time, milliseconds: the certificate's expiry. */
  notAfterMs: number;
  /** Whether the certificate is denied, maybe since the handshake. */
  isDenied(): boolean;
}

/**
 * `expected` is the server's name, checked exactly: no wildcards, no common names. A client's name must be that of a
 * workload: any other certificate of the same issuer, such as a web server's, is no identity. `resumed` is the peer of
 * the session that was offered: a server that resumes it proves its identity by its ticket key, and sends no
 * certificate again.
 */
export function verifiedPeer(
  socket: TLSSocket,
  nowMs: number,
  expected?: string,
  resumed?: Peer,
): Peer | HandshakeFailure {
  if (resumed && socket.isSessionReused()) return resumed;
  const certificate = peerCertificate(socket);
  if (!certificate) return 'no-client-certificate';
  if (!socket.authorized) {
    const error = socket.authorizationError as unknown;
    const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : String(error);
    const failure = handshakeFailure(code ?? 'protocol');
    // OpenSSL refuses most authorities itself, by its rules of purposes and path lengths.
    return failure === 'protocol' && certificate.ca ? 'authority' : failure;
  }
  // A resumed session was verified when it began, maybe long ago.
  const notAfterMs = Date.parse(certificate.validTo);
  if (notAfterMs <= nowMs) return 'expired';
  if (Date.parse(certificate.validFrom) > nowMs) return 'not-yet-valid';
  // A certificate authority must not act as a workload: it could issue such a certificate for any name.
  if (certificate.ca) return 'authority';
  const names = dnsNamesIn(certificate.subjectAltName);
  const isDenied = denialOf(certificate, names);
  if (isDenied()) return 'denied';
  const identity = names.find((name) =>
    expected === undefined ? parseIdentity(name) !== undefined : name === expected,
  );
  return identity === undefined ? 'name-mismatch' : { identity, notAfterMs, isDenied };
}

/** Denials are compared once for each bundle that brings them, not once for each request. */
function denialOf({ serialNumber: serial, validFrom }: PeerCertificate, names: string[]) {
  const notBeforeMs = Date.parse(validFrom);
  let seen: readonly Denial[] = [];
  let verdict = false;
  return (): boolean => {
    const { list } = denialsInForce;
    if (list === seen) return verdict;
    seen = list;
    verdict = ['', ...names].some((identity) => isDenied(list, { serial, identity, notBeforeMs }));
    return verdict;
  };
}
