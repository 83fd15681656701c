/** Tables of routes, endpoints and edges: of all services, or of one. */
import { percentText, plural } from '../../runbooks/words.js';
import type { RouteRow, Services } from '../mesh.js';
import { serverNow } from './drill-state.js';
import { Table } from './table.js';
import { span } from './words.js';

export const share = (value: number | null): string =>
  value === null ? 'idle' : percentText(value);
export const ms = (value: number | null): string =>
  value === null ? 'no data' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
export const rate = (value: number): string => `${value.toFixed(1)}/s`;

export function Routes({ rows, empty }: { rows: readonly RouteRow[]; empty: string }) {
  return (
    <Table<RouteRow>
      label="routes"
      rows={rows}
      keyOf={(r) => `${r.from} ${r.service} ${r.route}`}
      textOf={(r) => `${r.from} ${r.service} ${r.route}`}
      empty={empty}
      columns={[
        { title: 'from', share: 1.5, cell: (r) => r.from },
        { title: 'to', share: 1.5, cell: (r) => r.service },
        { title: 'route', share: 1.3, cell: (r) => r.route },
        { title: 'effective', number: true, cell: (r) => share(r.successRatio) },
        { title: 'actual', number: true, cell: (r) => share(r.actualSuccessRatio) },
        { title: 'requests', number: true, cell: (r) => rate(r.requestsPerSecond) },
        { title: 'tries', number: true, cell: (r) => rate(r.actualRequestsPerSecond) },
        { title: 'p95', number: true, cell: (r) => ms(r.latencyMsP95) },
        {
          title: 'retries left',
          number: true,
          cell: (r) => (r.budgetLeft === null ? 'no budget' : r.budgetLeft.toFixed(0)),
        },
      ]}
    />
  );
}

export function Endpoints({ rows, empty }: { rows: Services['endpoints']; empty: string }) {
  return (
    <Table
      label="endpoints"
      rows={rows}
      keyOf={(e) => `${e.destination} ${e.backend} ${e.address} ${e.state} ${e.reason}`}
      textOf={(e) =>
        `${e.destination} ${e.workload ?? ''} ${e.address} ${e.state} ${e.seenBy.join(' ')}`
      }
      empty={empty}
      columns={[
        { title: 'of', share: 1.5, cell: (e) => e.destination },
        {
          title: 'endpoint',
          share: 1.4,
          cell: (e) => <span title={e.address}>{e.workload ?? e.address}</span>,
        },
        {
          title: 'state',
          share: 1.8,
          cell: (e) => (
            <span class={e.state === 'ready' ? 'held' : 'late'}>
              {e.state === 'ready' ? '✓ ready' : `✗ ${e.state}: ${e.reason ?? 'no reason'}`}
            </span>
          ),
        },
        { title: 'seen by', share: 1.3, cell: (e) => seenBy([...new Set(e.seenBy)].sort()) },
      ]}
    />
  );
}

/** `: 3 are not ready`; empty where no endpoint is known, which is no good news. */
export function readyText(endpoints: Services['endpoints']): string {
  const bad = endpoints.filter((e) => e.state !== 'ready').length;
  if (endpoints.length === 0) return '';
  return bad === 0 ? ': all are ready' : `: ${bad} ${bad === 1 ? 'is' : 'are'} not ready`;
}

const seenBy = (names: readonly string[]) => (
  <span title={names.join(', ')}>
    {names.length > 2 ? `${names.length} workloads` : names.join(', ')}
  </span>
);

/** As the tables of workloads and routes name it. */
const within = (name: string, namespace: string): string =>
  namespace === '' ? name : `${name}.${namespace}`;

export function Edges({ rows, empty }: { rows: Services['edges']; empty: string }) {
  return (
    <Table
      label="edges"
      rows={rows}
      keyOf={(e) => `${e.srcNamespace} ${e.src} ${e.dstNamespace} ${e.dst}`}
      textOf={(e) => `${within(e.src, e.srcNamespace)} ${within(e.dst, e.dstNamespace)}`}
      empty={empty}
      columns={[
        { title: 'from', cell: (e) => within(e.src, e.srcNamespace) },
        { title: 'to', cell: (e) => within(e.dst, e.dstNamespace) },
        {
          title: 'secured',
          cell: (e) => (
            <span class={e.secured ? 'held' : 'late'}>{e.secured ? '✓ mTLS' : '✗ plain'}</span>
          ),
        },
        { title: 'requests', number: true, cell: (e) => e.requests.toLocaleString('en') },
      ]}
    />
  );
}

export function until(ms: number | null) {
  if (ms === null) return 'none';
  const left = ms - serverNow();
  return left > 0 ? span(left) : <span class="late">ended {span(left)} ago</span>;
}

/** Figures beside this line are without the proxies that it names. */
export function Silent({ proxies }: { proxies: readonly string[] }) {
  if (proxies.length === 0) return null;
  const more = proxies.length > 5 ? ', …' : '';
  return (
    <p class="stale">
      No answer from {plural(proxies.length, 'proxy', 'proxies')}: {proxies.slice(0, 5).join(', ')}
      {more}
    </p>
  );
}
