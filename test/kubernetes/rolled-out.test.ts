/** An upgrade is done when all pods are the new version's: the old ones keep a Deployment available. */
import { expect, test } from 'vitest';
import { waitAvailable } from '../../mesh/kubernetes/install/apply.js';
import { unreadyNodes, whyNotRolledOut } from '../../mesh/kubernetes/install/rolled-out.js';

const metadata = { name: 'web', namespace: 'firedrill', generation: 2 };
const whole = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, observedGeneration: 2 };
const available = { type: 'Available', status: 'True' };
const stuck = { type: 'Progressing', status: 'False', message: 'ReplicaSet "web-2" has timed out' };
const deployment = (status: object, replicas = 3) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: { replicas },
  status: { ...whole, conditions: [available], ...status },
});

test.each([
  [{}, undefined],
  [{ observedGeneration: 1 }, 'it was just changed'],
  [{ replicas: 4, updatedReplicas: 1 }, '1 of 3 pods are of the present version'],
  [
    { replicas: 4, updatedReplicas: 1, conditions: [available, stuck] },
    '1 of 3 pods are of the present version: ReplicaSet "web-2" has timed out',
  ],
  [{ availableReplicas: 2 }, '2 of 3 pods are available'],
  [{ replicas: 4 }, '1 pods of the version before are left'],
])('a Deployment with %o', (status, why) => {
  expect(whyNotRolledOut(deployment(status))).toBe(why);
});

test('a Deployment that nobody has looked at yet', () => {
  const { status: _status, ...fresh } = deployment({});
  expect(whyNotRolledOut(fresh)).toBe('it was just changed');
});

test('a DaemonSet with pods of the version before', () => {
  const of = (updatedNumberScheduled: number) =>
    unreadyNodes({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata,
      status: {
        desiredNumberScheduled: 2,
        numberAvailable: 2,
        updatedNumberScheduled,
        observedGeneration: 2,
      },
    });
  expect([of(1), of(2)]).toEqual(['updated on 1 of 2 nodes', undefined]);
});

test('upgrade --apply does not end well while no pod of the new version is up', async () => {
  let found = deployment({ replicas: 4, updatedReplicas: 1, conditions: [available, stuck] });
  const api = { find: () => Promise.resolve(found) } as never;
  const wait = () =>
    waitAvailable(api, [{ apiVersion: 'apps/v1', kind: 'Deployment', metadata }], 1);
  await expect(wait()).rejects.toThrow(
    'after 0.001s: Deployment web: 1 of 3 pods are of the present',
  );
  found = deployment({});
  await wait();
});
