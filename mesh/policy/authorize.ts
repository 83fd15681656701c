/** Authorization of one connection or request, compiled from a server's policy. Small, since the proxy imports it. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { parseIdentity } from '../identity/names.js';
import type { Authorization, InboundServer } from '../model.js';

export interface Peer {
  /** The verified identity of the peer's certificate; absent: plaintext, or TLS without a client certificate. */
  identity?: string | undefined;
  /** IP address, no port. */
  address: string;
}

export interface Verdict {
  allowed: boolean;
  /** Allowed only because the server is in audit mode; `deny` would refuse. Log it. */
  audited: boolean;
  /** The authorization that allowed the peer; absent: the default policy decided. */
  authorization?: string;
  /** A metric label: `authorized`, or the default policy's name. */
  reason: string;
}

/** Decides for one server. Route undefined: the connection, before (or without) a request. */
export type Authorizer = (peer: Peer, route?: string) => Verdict;

/** Compiles a server's policy; `cluster-authenticated` accepts identities of `trustDomain`. */
export function compileAuthorizer(
  server: Pick<InboundServer, 'defaultPolicy' | 'authorizations'>,
  trustDomain: string,
): Authorizer {
  const rules = server.authorizations.map(compileRule);
  const authorized = rules.map((rule) => ({
    allowed: true,
    audited: false,
    authorization: rule.name,
    reason: 'authorized',
  }));
  const policy = server.defaultPolicy;
  const allow: Verdict = { allowed: true, audited: false, reason: policy };
  const deny: Verdict = { allowed: false, audited: false, reason: policy };
  const audit: Verdict = { allowed: true, audited: true, reason: policy };
  return (peer, route) => {
    for (let i = 0; i < rules.length; i++) {
      if ((rules[i] as Rule).matches(peer, route)) return authorized[i] as Verdict;
    }
    switch (policy) {
      case 'all-unauthenticated':
        return allow;
      case 'all-authenticated':
        return peer.identity === undefined ? deny : allow;
      case 'cluster-authenticated':
        return isOf(trustDomain, peer.identity) ? allow : deny;
      case 'audit':
        return audit;
      case 'deny':
        return deny;
    }
  };
}

/** Compares whole domains: a name that only ends with the trust domain, or lies below it, belongs to another one. */
function isOf(trustDomain: string, identity: string | undefined): boolean {
  return identity !== undefined && parseIdentity(identity)?.trustDomain === trustDomain;
}

/**
 * Whether a connection could carry any allowed request: a connection is refused before its first request only if no
 * route could be authorized (`routes` are those that the server's authorizations name).
 */
export function mayConnect(
  server: Pick<InboundServer, 'authorizations'>,
  authorizer: Authorizer,
  peer: Peer,
): boolean {
  if (authorizer(peer).allowed) return true;
  return server.authorizations.some((a) =>
    a.routes?.some((route) => authorizer(peer, route).allowed),
  );
}

interface Rule {
  name: string;
  matches(peer: Peer, route: string | undefined): boolean;
}

function compileRule(authorization: Authorization): Rule {
  const routes = authorization.routes ? new Set(authorization.routes) : undefined;
  const exact = new Set(authorization.identities.filter((i) => !i.startsWith('*')));
  const any = authorization.identities.includes('*');
  const suffixes = authorization.identities
    .filter((i) => i.startsWith('*.'))
    .map((i) => i.slice(1));
  const networks = authorization.networks && compileNetworks(authorization.networks);
  return {
    name: authorization.name,
    matches({ identity, address }, route) {
      if (routes && (route === undefined || !routes.has(route))) return false;
      if (networks && !networks(address)) return false;
      if (authorization.unauthenticated) return true;
      if (identity === undefined) return false;
      return any || exact.has(identity) || suffixes.some((suffix) => identity.endsWith(suffix));
    },
  };
}

/** Whether a text is an address, or a network such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest !== undefined) return false;
  if (bits === undefined) return true;
  return /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function compileNetworks(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/');
    const family = isIPv6(network) ? 'ipv6' : 'ipv4';
    list.addSubnet(network, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return (address) => {
    // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d.
    const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}
