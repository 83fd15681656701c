/** The mesh as its proxies say it: workloads, who talks to whom, routes before and after retries, endpoints. */
import { percentText } from '../../runbooks/words.js';
import type { RouteRow, Services, WorkloadRow } from '../mesh.js';
import { From } from './source.js';
import { Table } from './table.js';
import { span } from './words.js';

export function ServiceView() {
  return (
    <div class="page">
      <h1>Services</h1>
      <From<Services> from="services" everyMs={2000}>
        {(services) => <What services={services} />}
      </From>
    </div>
  );
}

const share = (value: number | null): string =>
  value === null ? 'no requests' : percentText(value);
const ms = (value: number | null): string =>
  value === null ? 'no data' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
const rate = (value: number): string => `${value.toFixed(1)}/s`;

function What({ services }: { services: Services }) {
  const { workloads, edges, routes, endpoints, silent } = services;
  const bad = endpoints.filter((e) => e.state !== 'ready').length;
  return (
    <>
      {silent.length > 0 && (
        <p class="stale">
          {silent.length} of the proxies do not answer: {silent.slice(0, 5).join(', ')}
        </p>
      )}
      <section>
        <h2>Workloads, as their own proxies see what comes in</h2>
        <Table<WorkloadRow>
          label="workloads"
          rows={workloads}
          keyOf={(w) => w.name}
          textOf={(w) => w.name}
          empty="No workload."
          columns={[
            { title: 'workload', share: 2, cell: (w) => w.name },
            { title: 'answered', number: true, cell: (w) => share(w.successRatio) },
            { title: 'requests', number: true, cell: (w) => rate(w.requestsPerSecond) },
            { title: 'p50', number: true, cell: (w) => ms(w.latencyMsP50) },
            { title: 'p95', number: true, cell: (w) => ms(w.latencyMsP95) },
            { title: 'denied', number: true, cell: (w) => rate(w.denied) },
            { title: 'certificate', number: true, cell: (w) => until(w.certificateUntilMs) },
          ]}
        />
      </section>
      <section>
        <h2>Routes: effective is what callers get, actual is each try</h2>
        <Table<RouteRow>
          label="routes"
          rows={routes}
          keyOf={(r) => `${r.from} ${r.service} ${r.route}`}
          textOf={(r) => `${r.from} ${r.service} ${r.route}`}
          empty="No request has gone out by a route."
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
      </section>
      <div class="two">
        <section>
          <h2>Endpoints: {bad === 0 ? 'all are ready' : `${bad} are not ready`}</h2>
          <Table
            label="endpoints"
            rows={endpoints}
            keyOf={(e) => `${e.seenBy} ${e.destination} ${e.backend} ${e.address}`}
            textOf={(e) => `${e.destination} ${e.address} ${e.state} ${e.seenBy}`}
            empty="No proxy knows an endpoint."
            columns={[
              { title: 'of', share: 1.5, cell: (e) => e.destination },
              { title: 'endpoint', share: 1.4, cell: (e) => e.address },
              {
                title: 'state',
                share: 1.8,
                cell: (e) => (
                  <span class={e.state === 'ready' ? 'held' : 'late'}>
                    {e.state === 'ready' ? '✓ ready' : `✗ ${e.state}: ${e.reason ?? 'no reason'}`}
                  </span>
                ),
              },
              { title: 'seen by', share: 1.3, cell: (e) => e.seenBy },
            ]}
          />
        </section>
        <section>
          <h2>Who talks to whom</h2>
          <Table
            label="edges"
            rows={edges}
            keyOf={(e) => `${e.srcNamespace} ${e.src} ${e.dst}`}
            textOf={(e) => `${e.src} ${e.dst}`}
            empty="Nobody has called anybody yet."
            columns={[
              { title: 'from', cell: (e) => e.src },
              { title: 'to', cell: (e) => e.dst },
              {
                title: 'secured',
                cell: (e) => (
                  <span class={e.secured ? 'held' : 'late'}>
                    {e.secured ? '✓ both named' : '✗ not by both'}
                  </span>
                ),
              },
              { title: 'requests', number: true, cell: (e) => e.requests.toLocaleString('en') },
            ]}
          />
        </section>
      </div>
    </>
  );
}

function until(ms: number | null) {
  if (ms === null) return 'none';
  const left = ms - Date.now();
  return left > 0 ? span(left) : <span class="late">ended {span(left)} ago</span>;
}
