/** What the shop is made of: its workloads, who calls whom, and the ports that one run of it chose. */
import type { WorkloadPorts } from '../../chaos/system/model.js';
import { freePorts } from '../../base/ports.js';
import { identityName } from '../../mesh/identity/names.js';

export const namespace = 'retail';
export const trustDomain = 'retail.local';

export interface Workload {
  /** `catalog-2`: unique. */
  name: string;
  service: string;
}

/** Two of catalog, so that one may go without a shopper noticing. */
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

/** The front door may be called by anyone; every other service only by those who call it. */
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
