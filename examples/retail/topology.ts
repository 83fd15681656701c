/** The shop's structure: its workloads, the callers of each service, and the ports chosen for one run. */
import type { WorkloadPorts } from '../../chaos/system/model.js';
import { freePorts } from '../../base/ports.js';
import { identityName } from '../../mesh/identity/names.js';

export const namespace = 'retail';
export const trustDomain = 'retail.local';

export interface Workload {
  /** For example `catalog-2`: unique. */
  name: string;
  service: string;
}

/** Catalog has two workloads, so that one may fail without any effect on shoppers. */
export const workloads: readonly Workload[] = [
  { name: 'web', service: 'web' },
  { name: 'catalog-1', service: 'catalog' },
  { name: 'catalog-2', service: 'catalog' },
  { name: 'cart', service: 'cart' },
  { name: 'checkout', service: 'checkout' },
  { name: 'payment', service: 'payment' },
];

export const calls: Readonly<Record<string, readonly string[]>> = {
  web: ['catalog', 'cart', 'checkout'],
  catalog: [],
  cart: [],
  checkout: ['cart', 'payment'],
  payment: [],
};

/** Any client may call the front door; only a service's own callers may call the other services. */
export const frontDoor = 'web';

export const callersOf = (service: string): string[] =>
  Object.keys(calls).filter((caller) => calls[caller]?.includes(service));

export const identityOf = (service: string): string =>
  identityName({ serviceAccount: service, namespace, trustDomain });

export interface Ports {
  controller: number;
  controllerAdmin: number;
  workloads: Record<string, Required<WorkloadPorts>>;
}

export async function choosePorts(): Promise<Ports> {
  const free = await freePorts(2 + 5 * workloads.length);
  const next = (): number => free.pop() as number;
  return {
    controller: next(),
    controllerAdmin: next(),
    workloads: Object.fromEntries(
      workloads.map(({ name }) => [
        name,
        { app: next(), appAdmin: next(), inbound: next(), outbound: next(), proxyAdmin: next() },
      ]),
    ),
  };
}
