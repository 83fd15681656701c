/** A pod proves its identity with its service account's token, which only the API server can check (TokenReview). */
import {
  type Attestation,
  type AttestationRequest,
  type Attestor,
  Refusal,
} from '../identity/attestor.js';
import type { KubeApi } from './client/api.js';
import { apiVersionOf, pathOf, resources } from './client/objects.js';
import { messageOf } from '../../base/errors.js';

/** The required audience: a token for another one (the API server, another mesh) is refused. */
export const tokenAudience = 'identity.firedrill.dev';

interface ReviewAnswer {
  status?: {
    authenticated?: boolean;
    audiences?: string[];
    error?: string;
    user?: { username?: string };
  };
}

export class TokenReviewAttestor implements Attestor {
  readonly kind = 'kubernetes';
  readonly #api: KubeApi;
  readonly #audience: string;

  constructor(api: KubeApi, audience = tokenAudience) {
    this.#api = api;
    this.#audience = audience;
  }

  async attest({ token }: AttestationRequest): Promise<Attestation | undefined> {
    // A service account's token is a JWT; another attestor handles other tokens.
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined;
    const review = {
      apiVersion: apiVersionOf(resources.TokenReview),
      kind: 'TokenReview',
      spec: { token, audiences: [this.#audience] },
    };
    let answer: ReviewAnswer;
    try {
      answer = (await this.#api.call(
        'POST',
        pathOf(resources.TokenReview),
        review,
      )) as ReviewAnswer;
    } catch (error) {
      throw new Refusal(
        'issuer-unavailable',
        `the API server could not review the token: ${messageOf(error)}`,
      );
    }
    const { status } = answer;
    if (!status?.authenticated) {
      const why = status?.error ?? 'not authenticated';
      throw new Refusal(
        /expired/.test(why) ? 'expired-token' : 'bad-token',
        `the API server refused the token: ${why}`,
      );
    }
    // A server without support for audiences omits the field, and such an answer proves nothing.
    if (!status.audiences?.includes(this.#audience)) {
      throw new Refusal('bad-token', `the token is not for ${this.#audience}`);
    }
    const [system, kind, namespace, serviceAccount] = (status.user?.username ?? '').split(':');
    if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !serviceAccount) {
      throw new Refusal('wrong-identity', `${status.user?.username} is no service account`);
    }
    return { namespace, serviceAccount };
  }
}
