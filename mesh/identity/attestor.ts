/** The proof of a workload's identity before it gets a certificate: a join token, a Kubernetes token, ... */

export interface Attestation {
  serviceAccount: string;
  namespace: string;
}

export interface AttestationRequest {
  token: string;
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER) in the request, hex: ties a one-time token to one key. */
  publicKeyHash: string;
  /** Called before a one-time token counts as used: throws when the request is refused for another reason. */
  admit?(who: Attestation): void;
}

/** Resolves to the workload's identity, or undefined when the token is of another kind; rejects with Refusal. */
export interface Attestor {
  readonly kind: string;
  attest(request: AttestationRequest): Promise<Attestation | undefined>;
}

/** The reason for refusing a certificate: `reason` is a metric label and an event field, the message is for people. */
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
