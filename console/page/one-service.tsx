/** One service: its requests, callers and dependencies, its endpoints, its denials, its certificate. */
import type { Services } from '../mesh.js';
import { serverNow } from './drill-state.js';
import { Figures } from './figures.js';
import { Edges, Endpoints, ms, rate, readyText, Routes, share } from './service-tables.js';
import { From } from './source.js';
import { dayAndClock } from './words.js';

export function OneService({ query }: { query: URLSearchParams }) {
  const name = query.get('name') ?? '';
  return (
    <div class="page">
      <h1>{name}</h1>
      <p>
        <a href="#/services">All services</a>
      </p>
      <From<Services> from="services" everyMs={2000}>
        {(services) => <What name={name} services={services} />}
      </From>
    </div>
  );
}

/** Matches `cart` for the workload `cart.retail`: destinations may carry a port and the cluster's domain. */
const isOf = (name: string, destination: string): boolean =>
  destination === name || destination.startsWith(`${name}.`) || destination.startsWith(`${name}:`);

/** An edge gives its ends and their namespaces separately. */
const isNamed = (name: string, own: string, namespace: string): boolean =>
  own === name || `${own}.${namespace}` === name;

function What({ name, services }: { name: string; services: Services }) {
  const { workloads, edges, routes, endpoints } = services;
  const own = workloads.find((w) => w.name === name);
  if (!own) return <p class="empty">No proxy that answers serves a workload of this name.</p>;
  const called = routes.filter((r) => isOf(name, r.service));
  const calls = routes.filter((r) => r.from === name);
  const served = endpoints.filter((e) => isOf(name, e.destination));
  const around = edges.filter(
    (e) => isNamed(name, e.src, e.srcNamespace) || isNamed(name, e.dst, e.dstNamespace),
  );
  const { certificateUntilMs: until, denied } = own;
  const isOver = until !== null && until < serverNow();
  const rows: [string, string, string?][] = [
    ['answered', share(own.successRatio)],
    ['requests', rate(own.requestsPerSecond)],
    ['p50', ms(own.latencyMsP50)],
    ['p95', ms(own.latencyMsP95)],
    ['denied by policy', rate(denied), denied > 0 ? 'late' : ''],
    ['its retries', rate(own.retriesPerSecond)],
    [
      'certificate until',
      until === null ? 'none' : `${dayAndClock(until)} UTC`,
      isOver ? 'late' : '',
    ],
    ['proxies', String(own.proxies)],
  ];
  return (
    <>
      <Figures rows={rows} />
      <section>
        <h2>Who calls it: effective is what callers get, actual is each try</h2>
        <Routes rows={called} empty="No proxy that answers has called this service." />
      </section>
      <section>
        <h2>Whom it calls, and its retries against their budget</h2>
        <Routes rows={calls} empty="This service has sent no request by a route." />
      </section>
      <div class="two">
        <section>
          <h2>Its endpoints{readyText(served)}</h2>
          <Endpoints rows={served} empty="No proxy knows an endpoint of this service." />
        </section>
        <section>
          <h2>Who talks to whom around it</h2>
          <Edges rows={around} empty="No calls to or from this service yet." />
        </section>
      </div>
    </>
  );
}
