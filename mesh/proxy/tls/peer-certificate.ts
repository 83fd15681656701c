/**
 * The certificate that a peer has sent, without a leak: to make an X509Certificate of a connection, Node takes the
 * issuer's certificate out of OpenSSL's list and never frees it, 8 kB each time, for as long as the process lives.
 */
import { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';

export interface PeerCertificate {
  subjectAltName: string | undefined;
  serialNumber: string;
  validFrom: string;
  validTo: string;
  /** An authority's. */
  ca: boolean;
}

type PeerObject = ReturnType<TLSSocket['getPeerCertificate']>;

/** Node's own side of a TLS socket. */
interface Handle {
  getPeerCertificate(abbreviated: boolean): PeerObject | undefined;
  getPeerX509Certificate(): unknown;
}

/** Certificates that Node has asked for in a handshake, until they are read here: to read one takes 0.1 ms. */
const asked = new WeakMap<Handle, PeerObject>();
let isMended = false;

/**
 * Node 24.21 makes such an object itself in every handshake of a server that asks for certificates, only to see whether
 * there is one. From the first connection of a process on it gets the older form, which takes nothing away.
 */
function mend(handle: Handle): void {
  isMended = true;
  (Object.getPrototypeOf(handle) as Handle).getPeerX509Certificate = function (this: Handle) {
    const found = this.getPeerCertificate(true);
    if (found) asked.set(this, found);
    return found;
  };
}

/** Empty: the peer sent none, or the connection is over. The socket's own method may be hidden (connect-tls.ts). */
function older(socket: TLSSocket): Partial<PeerObject> {
  const { _handle: handle } = socket as unknown as { _handle: Handle | null };
  if (handle === null) return {};
  if (!isMended) mend(handle);
  const found = asked.get(handle) ?? handle.getPeerCertificate(true);
  asked.delete(handle);
  return found ?? {};
}

/** Undefined: the peer sent none, or the connection is over. */
export function peerCertificate(socket: TLSSocket): PeerCertificate | undefined {
  const { subjectaltname, serialNumber, valid_from, valid_to, ca = true } = older(socket);
  if (serialNumber === undefined || valid_from === undefined || valid_to === undefined) return;
  return {
    subjectAltName: subjectaltname,
    serialNumber,
    validFrom: valid_from,
    validTo: valid_to,
    ca,
  };
}

/** The same as an object that can verify; undefined as above. */
export function peerX509(socket: TLSSocket): X509Certificate | undefined {
  const { raw } = older(socket);
  return raw && new X509Certificate(raw);
}
