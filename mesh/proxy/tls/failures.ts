/** The reasons of failed handshakes, as in tls_handshake_failures_total. */

export type HandshakeFailure =
  | 'expired'
  | 'not-yet-valid'
  | 'unknown-issuer'
  | 'name-mismatch'
  /** The certificate is an authority's, not a workload's. */
  | 'authority'
  /** Revoked before its expiry by firedrill identity deny. */
  | 'denied'
  | 'no-client-certificate'
  | 'timeout'
  | 'protocol'
  | 'reset';

const byCode: Record<string, HandshakeFailure> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-issuer',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-issuer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-issuer',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-issuer',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-issuer',
  CERT_SIGNATURE_FAILURE: 'unknown-issuer',
  CERT_UNTRUSTED: 'unknown-issuer',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name-mismatch',
  HOSTNAME_MISMATCH: 'name-mismatch',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};

/** Maps OpenSSL's and Node's codes. */
export function handshakeFailure(code: string | undefined): HandshakeFailure {
  if (code === undefined) return 'reset';
  const known = byCode[code];
  if (known) return known;
  if (/ALERT_CERTIFICATE_EXPIRED/.test(code)) return 'expired';
  if (/ALERT_UNKNOWN_CA/.test(code)) return 'unknown-issuer';
  if (/ALERT_CERTIFICATE_REQUIRED|PEER_DID_NOT_RETURN_A_CERTIFICATE/.test(code)) {
    return 'no-client-certificate';
  }
  return 'protocol';
}
