/** Applies a policy to the observed traffic: an audit before a default is tightened. */
import type { InboundServer } from '../../model.js';
import { type Authorizer, compileAuthorizer } from '../../policy/authorize.js';
import { parseIdentity } from '../../identity/names.js';
import type { Observed } from './targets.js';
import { workloadOf } from './rows.js';

export interface AuditRow {
  workload: string;
  server: string;
  route: string;
  /** Empty: no mesh identity. */
  client: string;
  /** Requests and connections since the proxies started. */
  seen: number;
  now: 'allowed' | 'denied';
  would: 'allowed' | 'denied' | 'network';
  /** The deciding authorization or default. */
  by: string;
}

/** The servers of a workload under the proposed policy. */
export type PolicyOf = (proxy: Observed) => readonly InboundServer[];

const counted = /^inbound_(http|tcp)_authz_(allow|deny)_total$/;

/**
 * One row for each observed client, server and route. `network`: an authorization by network could allow the client;
 * proxies do not count addresses, so a person must decide.
 */
export function auditPolicy(proxies: readonly Observed[], policyOf: PolicyOf): AuditRow[] {
  const rows = new Map<string, AuditRow>();
  for (const proxy of proxies) {
    const trustDomain = parseIdentity(proxy.config.identity?.name ?? '')?.trustDomain ?? '';
    const servers = new Map(policyOf(proxy).map((s) => [s.name, s]));
    const authorizers = new Map<string, Authorizer>();
    for (const { name, labels, value } of proxy.after) {
      const kind = counted.exec(name)?.[2];
      if (kind === undefined || value === 0) continue;
      const server = servers.get(labels.srv_name ?? '');
      const route = labels.rt_route ?? '';
      const client = labels.client_id ?? '';
      const now = kind === 'allow' ? 'allowed' : 'denied';
      const key = [workloadOf(proxy), labels.srv_name, route, client, now].join('\n');
      const row = rows.get(key);
      if (row) {
        row.seen += value;
        continue;
      }
      let authorize = authorizers.get(labels.srv_name ?? '');
      if (server && !authorize) {
        authorize = compileAuthorizer(server, trustDomain);
        authorizers.set(server.name, authorize);
      }
      rows.set(key, {
        workload: workloadOf(proxy),
        server: labels.srv_name ?? '',
        route,
        client,
        seen: value,
        now,
        ...judged(server, authorize, client, route),
      });
    }
  }
  return [...rows.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function judged(
  server: InboundServer | undefined,
  authorize: Authorizer | undefined,
  client: string,
  route: string,
): Pick<AuditRow, 'would' | 'by'> {
  if (!server || !authorize) return { would: 'denied', by: 'no such server' };
  const peer = { identity: client === '' ? undefined : client, address: '' };
  const verdict = authorize(peer, route === '' ? undefined : route);
  if (verdict.allowed && !verdict.audited) {
    return { would: 'allowed', by: verdict.authorization ?? `default ${verdict.reason}` };
  }
  const byNetwork = server.authorizations.find(
    (a) => a.networks && (a.unauthenticated || a.identities.length > 0),
  );
  if (byNetwork) return { would: 'network', by: byNetwork.name };
  return { would: 'denied', by: `default ${verdict.reason}` };
}

const sortKey = (r: AuditRow): string => [r.workload, r.server, r.route, r.client].join('\n');
