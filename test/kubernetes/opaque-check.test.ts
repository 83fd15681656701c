/** The check of opaque ports: a warning where client and server were told different things, and nowhere else. */
import { expect, test } from 'vitest';
import { tornPorts } from '../../mesh/kubernetes/check/opaque-check.js';
import type { Namespace, Pod, Service } from '../../mesh/kubernetes/discovery/types.js';

const told = (ports?: string): object =>
  ports === undefined ? {} : { annotations: { 'mesh.firedrill.dev/opaque-ports': ports } };
const service = (ports: object[], list?: string): Service =>
  ({
    metadata: { namespace: 'shop', name: 'db', ...told(list) },
    spec: { selector: { app: 'db' }, ports },
  }) as unknown as Service;
const pod = (list?: string, phase = 'Running'): Pod =>
  ({
    metadata: { namespace: 'shop', name: 'db-0', labels: { app: 'db' }, ...told(list) },
    spec: {
      containers: [
        { name: 'app', ports: [{ name: 'sql', containerPort: 6033 }] },
        { name: 'firedrill-proxy' },
      ],
    },
    status: { phase },
  }) as unknown as Pod;
const space = (list?: string): Namespace =>
  ({ metadata: { name: 'shop', ...told(list) } }) as unknown as Namespace;

test.each<[string, Service, Pod, Namespace, boolean]>([
  [
    'the Service’s port and the pod’s',
    service([{ port: 80, targetPort: 6033 }], '80'),
    pod('6033'),
    space(),
    false,
  ],
  [
    'a port by its name',
    service([{ port: 80, targetPort: 'sql' }], '80'),
    pod('6033'),
    space(),
    false,
  ],
  ['a usual port', service([{ port: 3306 }], '3306'), pod(), space(), false],
  ['the namespace’s list', service([{ port: 6033 }]), pod(), space('6033'), false],
  ['nobody says anything', service([{ port: 3306, targetPort: 6033 }]), pod(), space(), false],
  ['a port of UDP', service([{ port: 53, protocol: 'UDP' }], '53'), pod(), space(), false],
  [
    'a finished pod',
    service([{ port: 6033 }], '6033'),
    pod(undefined, 'Succeeded'),
    space(),
    false,
  ],
  ['the Service alone', service([{ port: 6033 }], '6033'), pod(), space(), true],
  ['the pod alone', service([{ port: 80, targetPort: 6033 }]), pod('6033'), space(), true],
  ['a Service that takes a usual port out', service([{ port: 3306 }], '80'), pod(), space(), true],
])('%s', (_what, of, at, within, isTorn) => {
  const { port } = of.spec.ports?.[0] ?? {};
  expect(tornPorts([of], [at], [within])).toEqual(isTorn ? [`shop/db:${port}`] : []);
});
