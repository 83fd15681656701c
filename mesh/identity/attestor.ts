/** How a workload proves who it is before it is given a certificate: a join token, a Kubernetes token, ... */

export interface Attestation {
  serviceAccount: string;
  namespace: string;
}

export interface AttestationRequest {
  token: string;
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER) in the request, hex: ties a one-time token to one key. */
  publicKeyHash: string;
  /** Asked before a one-time token counts as used: throws where the request is refused for another reason. */
  admit?(who: Attestation): void;
}

/** Resolves to who the workload is, undefined where the token is none of this attestor's; rejects with Refusal. */
export interface Attestor {
  readonly kind: string;
  attest(request: AttestationRequest): Promise<Attestation | undefined>;
}

/** Why a certificate was refused: `reason` is a metric label and an event field, the message is for people. */
export class Refusal extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
  }
}

export type RefusalReason =
  | 'bad-request'
  | 'bad-token'
  | 'expired-token'
  | 'replayed-token'
  | 'wrong-identity'
  | 'expired-certificate'
  | 'untrusted-certificate'
  | 'denied-certificate'
  | 'frozen'
  | 'issuer-unavailable';
