/** Turns the clients of an authorization, as people write them, into the model's identities and networks. */
import type { Authorization } from '../model.js';
import { identityName } from '../identity/names.js';

/** All fields of one clause must hold; several clauses are alternatives. */
export interface ClientClause {
  serviceAccount?: string | undefined;
  namespace?: string | undefined;
  /** Exact, `*.suffix`, or `*`. */
  identity?: string | undefined;
  /** CIDR. */
  network?: string | undefined;
  unauthenticated?: boolean | undefined;
}

/**
 * Authorizations that together allow every client that any clause names. Clauses without a network share one
 * authorization; each network gets its own, because the model's `networks` restrict all identities beside them.
 */
export function authorizationsOf(
  name: string,
  clauses: readonly ClientClause[],
  trustDomain: string,
  routes?: string[],
): Authorization[] {
  const byNetwork = new Map<string, Authorization>();
  for (const clause of clauses) {
    const key = clause.network ?? '';
    let authorization = byNetwork.get(key);
    if (!authorization) {
      authorization = {
        name,
        ...(routes && { routes }),
        identities: [],
        unauthenticated: false,
        ...(clause.network && { networks: [clause.network] }),
      };
      byNetwork.set(key, authorization);
    }
    const identity = identityOf(clause, trustDomain);
    if (identity) authorization.identities.push(identity);
    // A network alone restricts the address, not the identity: it includes plaintext.
    else authorization.unauthenticated = true;
  }
  return [...byNetwork.values()];
}

function identityOf(clause: ClientClause, trustDomain: string): string | undefined {
  if (clause.identity) return clause.identity;
  if (!clause.namespace) return undefined;
  if (clause.serviceAccount) {
    const { serviceAccount, namespace } = clause;
    return identityName({ serviceAccount, namespace, trustDomain });
  }
  return `*.${clause.namespace}.serviceaccount.identity.${trustDomain}`;
}
