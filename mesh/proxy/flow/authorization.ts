/**
 * Authorization of a server's callers: the policy's verdicts, counted by client and audited where the policy asks for
 * it.
 */
import type { InboundServer } from '../../model.js';
import {
  type Authorizer,
  compileAuthorizer,
  mayConnect,
  type Peer,
  type Verdict,
} from '../../policy/authorize.js';
import type { TlsLabel } from './contract.js';
import { TokenBucket } from '../../token-bucket.js';
import type { FlowParts } from './parts.js';

export interface AuthorizationCell {
  readonly server: string;
  readonly route: string;
  readonly authorization: string;
  readonly client: string;
  readonly tls: TlsLabel;
  readonly isConnection: boolean;
  allowed: number;
  denied: number;
  audited: number;
}

/** The last decision: a connection asks the same question again and again. */
interface Decision {
  peer: string;
  route: string;
  tls: TlsLabel;
  verdict: Verdict;
  cell: AuthorizationCell;
}

/** Limits for each server: remembered verdicts, and clients with counters of their own. */
const maxRemembered = 1000;
const maxClients = 500;
/** Audit lines a second; the burst is two seconds' worth. */
const auditPerSecond = 20;

export class ServerAuthorization {
  readonly source: InboundServer;
  readonly cells = new Map<string, AuthorizationCell>();
  suppressedLines = 0;
  readonly #parts: FlowParts;
  readonly #authorizer: Authorizer;
  /** Verdicts depend on the address only when the policy names networks. */
  readonly #byIdentity: boolean;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #lines: TokenBucket;
  #last: Decision | undefined;

  constructor(source: InboundServer, parts: FlowParts, before: ServerAuthorization | undefined) {
    this.source = source;
    this.#parts = parts;
    this.#authorizer = compileAuthorizer(source, parts.trustDomain);
    this.#byIdentity = !source.authorizations.some((a) => a.networks);
    if (before) this.cells = before.cells;
    const nowMs = parts.clock.monotonicMs();
    this.#lines = new TokenBucket(auditPerSecond, 2 * auditPerSecond, nowMs);
  }

  /** A connection refused before its first byte is counted and audited like any other. */
  mayConnect(peer: Peer): boolean {
    if (mayConnect(this.source, this.#authorizer, peer)) return true;
    const tls = peer.identity === undefined ? 'disabled' : 'true';
    this.decide(peer.identity, peer.address, '', tls, true);
    return false;
  }

  /**
   * Whether an opaque connection may go on after a change of the policy or the end of its certificate. One that may
   * not is counted and audited.
   */
  mayStay(peer: Peer, tls: TlsLabel): boolean {
    if (this.allows(peer.identity, peer.address, '')) return true;
    this.decide(peer.identity, peer.address, '', tls, true);
    return false;
  }

  /** The verdict on a request (or, with an empty route, on an opaque connection). The verdict is counted. */
  decide(
    identity: string | undefined,
    address: string,
    route: string,
    tls: TlsLabel,
    isConnection: boolean,
  ): Verdict {
    const peer = this.#keyOf(identity, address);
    let last = this.#last;
    if (
      last === undefined ||
      last.peer !== peer ||
      last.route !== route ||
      last.tls !== tls ||
      last.cell.isConnection !== isConnection
    ) {
      const verdict = this.#verdict(peer, { identity, address }, route);
      const cell = this.#cell(verdict, route, identity ?? '', tls, isConnection);
      last = { peer, route, tls, verdict, cell };
      this.#last = last;
    }
    const { verdict, cell } = last;
    if (verdict.allowed) cell.allowed++;
    else cell.denied++;
    if (verdict.audited) cell.audited++;
    if (verdict.audited || !verdict.allowed) this.#audit(verdict, cell, address);
    return verdict;
  }

  /** The verdict on a request, not counted. */
  allows(identity: string | undefined, address: string, route: string): boolean {
    return this.#verdict(this.#keyOf(identity, address), { identity, address }, route).allowed;
  }

  #keyOf(identity: string | undefined, address: string): string {
    return this.#byIdentity ? (identity ?? '') : `${identity ?? ''} ${address}`;
  }

  #verdict(key: string, peer: Peer, route: string): Verdict {
    const full = `${route}\n${key}`;
    let verdict = this.#verdicts.get(full);
    if (!verdict) {
      verdict = this.#authorizer(peer, route === '' ? undefined : route);
      if (this.#verdicts.size >= maxRemembered) this.#verdicts.clear();
      this.#verdicts.set(full, verdict);
    }
    return verdict;
  }

  #cell(
    verdict: Verdict,
    route: string,
    client: string,
    tls: TlsLabel,
    isConnection: boolean,
  ): AuthorizationCell {
    const authorization = verdict.authorization ?? `default:${verdict.reason}`;
    const key = [route, authorization, client, tls, isConnection].join('\n');
    const found = this.cells.get(key);
    if (found) return found;
    if (this.cells.size >= maxClients && client !== 'overflow') {
      this.#parts.metrics.overflowed('client_id');
      return this.#cell(verdict, route, 'overflow', tls, isConnection);
    }
    const cell = {
      server: this.source.name,
      route,
      authorization,
      client,
      tls,
      isConnection,
      allowed: 0,
      denied: 0,
      audited: 0,
    };
    this.cells.set(key, cell);
    return cell;
  }

  #audit({ allowed, reason }: Verdict, cell: AuthorizationCell, address: string): void {
    const { clock } = this.#parts;
    if (!this.#lines.take(clock.monotonicMs())) {
      this.suppressedLines++;
      return;
    }
    this.#parts.audit(
      JSON.stringify({
        time: new Date(clock.nowMs()).toISOString(),
        audit: allowed ? 'allowed-in-audit-mode' : 'denied',
        server: cell.server,
        ...(cell.route !== '' && { route: cell.route }),
        policy: reason,
        clientId: cell.client === '' ? null : cell.client,
        client: address,
        tls: cell.tls,
        ...(this.suppressedLines > 0 && { suppressedSoFar: this.suppressedLines }),
      }),
    );
  }
}
