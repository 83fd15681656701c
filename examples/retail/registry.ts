/**
 * The shop's registry file: the addresses of its workloads, their allowed callers, and the retries of calls. A drill
 * replaces a part of it by name (`RetryMode`), under a lease.
 */
import {
  frugal,
  retriedTimeouts,
  type RetryMode,
  retryOf,
} from '../../chaos/system/processes/registry-fault.js';
import {
  callersOf,
  frontDoor,
  namespace,
  type Ports,
  type Workload,
  workloads,
} from './topology.js';

export interface RegistryOptions {
  retries: RetryMode;
  /** How long payment's retries are saved. */
  budgetSeconds?: number | undefined;
  /** Grows with each change, and is part of a route's name: a drill sees by it whether configuration rolls out. */
  revision: number;
  /** Callers that the policy refuses although they need to call: `{ payment: true }`. */
  lockedOut?: Record<string, boolean>;
  /** Services whose profile names nonexistent paths, so that no route matches their requests. */
  wrongProfile?: Record<string, boolean>;
  /** Services whose profile has a route for each of this many users: `{ cart: 800 }`. */
  routePerUser?: Record<string, number>;
  /** Sends the calls of a service to another one's endpoints. */
  misrouted?: Record<string, string>;
}

/** The retry budget of services with a second endpoint for the retry. */
const generous = { ratio: 0.2, minRetriesPerSecond: 10, ttl: '10s' };
/**
 * Services whose calls are safe to repeat: reads, and calls with an idempotency key. A cart would hold an item twice.
 */
const repeatable: Readonly<Record<string, boolean>> = {
  catalog: true,
  cart: false,
  checkout: false,
  payment: true,
  web: false,
};

/** Routes like those of a profile made from the paths of an access log, the newest user first. */
const userRoutes = (users: number): object[] =>
  Array.from({ length: users }, (_, i) => users - 1 - i).flatMap((user) => [
    {
      name: `carts-user-${user}`,
      match: [
        { path: { prefix: `/carts/user-${user}/` } },
        { path: { exact: `/carts/user-${user}` } },
      ],
    },
  ]);

export function registry(ports: Ports, options: RegistryOptions): object {
  const portsOf = (workload: Workload) => ports.workloads[workload.name]!;
  const names = [...new Set(workloads.map((w) => w.service))];
  const endpoints = (service: string): object[] =>
    workloads
      .filter((w) => w.service === service)
      .map((w) => ({ address: `127.0.0.1:${portsOf(w).inbound}`, labels: { pod: w.name } }));
  return {
    defaults: { policy: 'all-unauthenticated', unknownDestinations: 'refuse' },
    services: names.map((name) => {
      const source = options.misrouted?.[name] ?? name;
      // Only the dependency under test gets the retry storm: the others keep their budgets.
      const mode = options.retries === 'storm' && name !== 'payment' ? 'budget' : options.retries;
      const retry = retryOf(
        mode,
        repeatable[name] ?? false,
        name === 'payment' ? frugal(options) : generous,
      );
      return {
        name,
        namespace,
        hosts: [name],
        protocol: 'http1',
        ...(source !== name && { serviceAccount: source }),
        endpoints: endpoints(source),
        failFast: '500ms',
        balancer: { kind: 'ewma', defaultRtt: '30ms', decay: '10s' },
        ...(mode === 'budget' && {
          breaker: {
            consecutiveFailures: 7,
            minOpen: '250ms',
            maxOpen: '2s',
            jitter: 0.5,
            maxEjectedRatio: 0.5,
            panicRatio: 0.25,
          },
        }),
        routes: [
          ...userRoutes(options.routePerUser?.[name] ?? 0),
          {
            name: options.revision === 0 ? 'all' : `all-r${options.revision}`,
            ...(options.wrongProfile?.[name] && { match: [{ path: { prefix: '/v2/' } }] }),
            timeouts: name === 'payment' ? retriedTimeouts : { request: '10s' },
            ...(retry !== undefined && { retry }),
          },
        ],
      };
    }),
    servers: workloads.map((workload) => ({
      workload: workload.name,
      namespace,
      name: 'http',
      port: portsOf(workload).inbound,
      target: `127.0.0.1:${portsOf(workload).app}`,
      protocol: 'http1',
      policy: workload.service === frontDoor ? 'all-unauthenticated' : 'deny',
    })),
    authorizations: workloads
      .filter((w) => w.service !== frontDoor && options.lockedOut?.[w.service] !== true)
      .map((workload) => ({
        name: `callers-of-${workload.name}`,
        namespace,
        server: 'http',
        workload: workload.name,
        from: callersOf(workload.service).map((serviceAccount) => ({ serviceAccount, namespace })),
      })),
  };
}
