/** A registry file that is read again: only changed services are checked and compiled, and nothing else differs. */
import { expect, test } from 'vitest';
import { Catalogue } from '../../../mesh/controller/catalogue.js';
import { compileRegistry } from '../../../mesh/controller/registry/compile.js';
import { SimulatedClock } from '../../../base/clock.js';

const service = (name: string, address: string, more: object = {}): object => ({
  name,
  namespace: 'retail',
  endpoints: [{ address }],
  ...more,
});
const textOf = (services: object[], more: object = {}): string =>
  JSON.stringify({ services, ...more });
const first = compileRegistry(
  'r.yaml',
  textOf([service('cart', '10.0.0.1:1'), service('pay', '10.0.0.2:1', { hosts: ['pay'] })]),
  'retail.local',
);
const again = (services: object[], more: object = {}) =>
  compileRegistry('r.yaml', textOf(services, more), 'retail.local', first.known);

test('only the changed service is compiled, to the same as in a first reading', () => {
  const services = [
    service('pay', '10.0.0.2:1', { hosts: ['pay'] }),
    service('cart', '10.0.0.9:1', { routes: [{ name: 'all' }] }),
    service('ship', '10.0.0.3:1'),
  ];
  const { snapshot } = again(services);
  const whole = compileRegistry('r.yaml', textOf(services), 'retail.local').snapshot;
  expect(snapshot.unchanged).toEqual(['pay.retail']);
  expect(snapshot.destinations).toEqual(whole.destinations.slice(1));
});

test('a mistake has its place in the whole file, and a contradiction with an unchanged service is found', () => {
  const pay = service('pay', '10.0.0.2:1', { hosts: ['pay'] });
  const text = `{ "services": [\n${JSON.stringify(pay)},\n{ "name": "cart", "namespace": "Retail" }\n] }`;
  expect(() => compileRegistry('r.yaml', text, 'retail.local', first.known)).toThrow(/r\.yaml:3:/);
  expect(() => again([pay, service('x', '10.0.0.3:1', { hosts: ['pay'] })])).toThrow(
    /the host pay is pay\.retail's already/,
  );
  expect(() => again([pay, service('pay', '10.0.0.3:1')])).toThrow(/pay\.retail is defined twice/);
  expect(() => again([pay, pay])).toThrow(/pay\.retail is defined twice/);
});

test('a service that depends on the rest of the file, or on DNS, is compiled at each reading', () => {
  const workload = { name: 'vm', namespace: 'retail', address: '192.0.2.7', ports: { http: 80 } };
  const old = service('old', '10.0.0.1:1', { selector: { labels: { app: 'old' }, port: 'http' } });
  const named = service('far', '10.0.0.1:1', { dns: { name: 'far.example', port: 80 } });
  const before = again([old, named], { externalWorkloads: [workload] });
  const { snapshot, dns } = compileRegistry(
    'r.yaml',
    textOf([old, named], { externalWorkloads: [{ ...workload, labels: { app: 'old' } }] }),
    'retail.local',
    before.known,
  );
  expect(snapshot.unchanged).toEqual([]);
  expect(snapshot.destinations[0]?.backends[0]?.endpoints.map((e) => e.address)).toEqual([
    '10.0.0.1:1',
    '192.0.2.7:80',
  ]);
  expect(dns.map((d) => d.destination)).toEqual(['far.retail']);
});

test('the catalogue keeps what a report calls unchanged, and drops what it does not name', () => {
  const catalogue = new Catalogue(new SimulatedClock());
  const sink = catalogue.addSource('file');
  sink.replace(first.snapshot);
  const pay = catalogue.get('1/pay.retail');
  expect(pay).toBeDefined();
  sink.replace(again([service('pay', '10.0.0.2:1', { hosts: ['pay'] })]).snapshot);
  expect(catalogue.get('1/pay.retail')).toBe(pay);
  expect(catalogue.get('1/cart.retail')).toBeUndefined();
});

test.each<[string, object, RegExp]>([
  [
    'a host that is a service',
    {
      services: [
        { ...service('a', '10.0.0.1:1', { hosts: ['b.retail'] }) },
        service('b', '10.0.0.2:1'),
      ],
    },
    /the host b\.retail is b\.retail's already/,
  ],
  [
    'an address of two services',
    {
      services: [
        service('a', '10.0.0.1:1', { addresses: ['10.9.0.1:80'] }),
        service('b', '10.0.0.2:1', { addresses: ['10.9.0.1:80'] }),
      ],
    },
    /the address 10\.9\.0\.1:80 is a\.retail's already/,
  ],
  [
    'two servers of a port',
    {
      servers: [
        { namespace: 'retail', name: 'a', port: 80, target: '127.0.0.1:1' },
        { namespace: 'retail', name: 'b', port: 80, target: '127.0.0.1:2' },
      ],
    },
    /a server of that port is there already/,
  ],
  [
    'two servers of a name',
    {
      servers: [
        { namespace: 'retail', name: 'a', port: 80, target: '127.0.0.1:1' },
        { namespace: 'retail', name: 'a', port: 81, target: '127.0.0.1:2' },
      ],
    },
    /a server of that name is there already/,
  ],
  [
    'a network without its size',
    {
      servers: [{ namespace: 'retail', name: 'a', port: 80, target: '127.0.0.1:1' }],
      authorizations: [
        { name: 'x', namespace: 'retail', server: 'a', from: [{ network: '10.0.0.0/' }] },
      ],
    },
    /must be a network such as/,
  ],
  [
    'no pause between questions',
    { services: [{ name: 'a', namespace: 'retail', dns: { name: 'x', port: 1, minTtl: '0s' } }] },
    /must be from 100ms to 1d/,
  ],
  [
    'a longest interval below the shortest',
    {
      services: [{ name: 'a', namespace: 'retail', dns: { name: 'x', port: 1, maxTtl: '500ms' } }],
    },
    /minTtl is above maxTtl/,
  ],
])('%s is refused', (_what, registry, expected) => {
  expect(() => compileRegistry('r.yaml', JSON.stringify(registry), 'retail.local')).toThrow(
    expected,
  );
});
