/** Measures the cost of a second node's loss and of its drain for the requests that go to its pods as well. */
import { join } from 'node:path';
import { sleep } from '../../base/clock.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import type { Pod } from '../../mesh/kubernetes/discovery/types.js';
import { type Bars, evict, namespace, settleMs } from './bars-rig.js';

/** Longer than the 40 s after which Kubernetes gives a silent node up. */
const lostMs = 60_000;

type Placed = Pod & { spec: { nodeName?: string } };

export async function measureNodes(bars: Bars): Promise<void> {
  const { api } = bars.node;
  const second = await bars.node.join();
  second.importImage(join(bars.node.folder, 'product.tar'));
  const onSecond = async (): Promise<Placed[]> =>
    ((await bars.pods('web')) as Placed[]).filter((p) => p.spec.nodeName === second.name);
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: { app: 'web' } },
  };
  const template = { spec: { topologySpreadConstraints: [spread] } };
  await api.patch(resources.Deployment, namespace, 'web', { spec: { template } });
  await bars.available('web');
  await sleep(settleMs);
  const there = (await onSecond()).length;
  if (there === 0) throw new Error('no pod came to the second node');

  const lostAtMs = Date.now();
  const after = await bars.underLoad(`a node is lost with ${there} of 4 pods`, '-', async () => {
    second.lose();
    await sleep(lostMs);
  });
  if (process.env.FIREDRILL_DEBUG)
    for (const [sentMs, tookMs, why] of after.failures)
      process.stderr.write(`sent ${sentMs - lostAtMs} ms after, took ${tookMs}: ${why}\n`);
  const last = after.lastFailedSentMs - lostAtMs;
  const text = last > 0 ? `${(last / 1000).toFixed(1)} s after the loss` : 'none failed';
  bars.row('the last request that failed was sent', '2 s', text);
  second.find();
  await bars.available('web');
  await bars
    .until('pods on both nodes', async () => (await onSecond()).length > 0, 5000)
    .catch(async () => {
      // The lost node's pods were recreated on the first node, so all pods are restarted to spread them.
      const annotations = { spread: String(Date.now()) };
      const again = { spec: { template: { metadata: { annotations } } } };
      await api.patch(resources.Deployment, namespace, 'web', again);
      await bars.available('web');
    });
  await sleep(settleMs);
  await bars.underLoad('a node is drained', '0', async () => {
    const spec = { unschedulable: true };
    await api.patch(resources.Node, undefined, second.name, { spec });
    for (const pod of await onSecond()) await evict(bars, pod);
    await bars.until('an empty node', async () => (await onSecond()).length === 0);
    await bars.available('web');
  });
}
