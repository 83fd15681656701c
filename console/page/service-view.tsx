/** The mesh as its proxies report it: workloads, edges, routes before and after retries, endpoints. */
import type { Services, WorkloadRow } from '../mesh.js';
import {
  Edges,
  Endpoints,
  ms,
  rate,
  readyText,
  Routes,
  share,
  Silent,
  until,
} from './service-tables.js';
import { From } from './source.js';
import { Table } from './table.js';

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

function What({ services }: { services: Services }) {
  const { workloads, edges, routes, endpoints, silent } = services;
  return (
    <>
      <Silent proxies={silent} />
      <section>
        <h2>Workloads, as their own proxies see what comes in</h2>
        <Table<WorkloadRow>
          label="workloads"
          rows={workloads}
          keyOf={(w) => w.name}
          textOf={(w) => w.name}
          empty="No workload."
          columns={[
            {
              title: 'workload',
              share: 2,
              cell: (w) => <a href={`#/service?name=${encodeURIComponent(w.name)}`}>{w.name}</a>,
            },
            { title: 'answered', number: true, cell: (w) => share(w.successRatio) },
            { title: 'requests', number: true, cell: (w) => rate(w.requestsPerSecond) },
            { title: 'p50', number: true, cell: (w) => ms(w.latencyMsP50) },
            { title: 'p95', number: true, cell: (w) => ms(w.latencyMsP95) },
            { title: 'denied', number: true, cell: (w) => rate(w.denied) },
            { title: 'certificate left', number: true, cell: (w) => until(w.certificateUntilMs) },
          ]}
        />
      </section>
      <section>
        <h2>Routes: effective is what callers get, actual is each try</h2>
        <Routes rows={routes} empty="No request has used a route yet." />
      </section>
      <div class="two">
        <section>
          <h2>Endpoints{readyText(endpoints)}</h2>
          <Endpoints rows={endpoints} empty="No proxy knows an endpoint." />
        </section>
        <section>
          <h2>Who talks to whom</h2>
          <Edges rows={edges} empty="No calls yet." />
        </section>
      </div>
    </>
  );
}
