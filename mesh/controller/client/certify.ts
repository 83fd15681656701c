/** Gets one certificate from the identity service: sends a request for a key and checks the answer. */
import { X509Certificate } from 'node:crypto';
import { type Clock, realClock } from '../../../base/clock.js';
import { createCsr, toPem, type WorkloadKey } from '../../identity/csr.js';
import { certifyPath, decodeCertifyResponse, encodeCertifyRequest } from '../api/messages.js';
import type { IdentityMaterial } from './cache.js';
import { call, connect, contextOf, type Credentials } from './connection.js';

export interface CertificateAnswer {
  material: IdentityMaterial;
  controllerTimeMs: number;
}

/** Uses a connection of its own: a renewal is proven by the client certificate of the handshake. */
export async function requestCertificate(request: {
  address: string;
  controllerIdentity: string;
  identity: string;
  key: WorkloadKey;
  /** Empty: the credentials' certificate is the proof. */
  token: string;
  credentials: Credentials;
  clock?: Clock;
}): Promise<CertificateAnswer> {
  const { identity, key, token, clock = realClock } = request;
  const csr = createCsr(key, identity);
  const session = await connect(
    request.address,
    request.controllerIdentity,
    contextOf(request.credentials),
  );
  try {
    const message = encodeCertifyRequest({ identity, csr, token });
    const answer = decodeCertifyResponse(await call(session, certifyPath, message, clock));
    const [leaf] = answer.chain.map((der) => new X509Certificate(der));
    if (!leaf?.checkPrivateKey(key.privateKey)) {
      throw new Error('the certificate in the answer is not for the key in the request');
    }
    const anchors = answer.trustAnchors.map((der) => toPem('CERTIFICATE', der));
    return {
      material: {
        chain: answer.chain.map((der) => toPem('CERTIFICATE', der)).join(''),
        key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        anchors,
        notBeforeMs: answer.notBeforeMs,
        notAfterMs: answer.notAfterMs,
        issuer: issuerOf(leaf, [...answer.chain.slice(1), ...answer.trustAnchors]),
      },
      controllerTimeMs: answer.timeMs,
    };
  } finally {
    // Not closed in order: a controller that hangs would keep it open.
    session.destroy();
  }
}

/** Hex SHA-256 of the certificate that signed the leaf. */
function issuerOf(leaf: X509Certificate, candidates: readonly Buffer[]): string {
  for (const der of candidates) {
    const issuer = new X509Certificate(der);
    if (leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)) {
      return issuer.fingerprint256.replaceAll(':', '').toLowerCase();
    }
  }
  return '';
}
