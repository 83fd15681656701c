/** Two clusters, two API servers: services that one exports are destinations in the other (C11). */
import { afterAll, beforeAll, expect } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import type { SourceChange } from '../../mesh/controller/discovery/source.js';
import type { Destination } from '../../mesh/model.js';
import { findTool } from '../../base/tools.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import { customResources } from '../../mesh/kubernetes/crds/definitions.js';
import { conditionOf } from '../../mesh/kubernetes/discovery/status.js';
import { KubernetesSource } from '../../mesh/kubernetes/discovery/kubernetes-source.js';
import { applyAll } from '../../mesh/kubernetes/install/apply.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
let east: Cluster;
let west: Cluster;

beforeAll(async () => {
  if (findTool('kube-apiserver') && findTool('etcd'))
    [east, west] = await Promise.all([startCluster(), startCluster()]);
});
afterAll(() => Promise.all([east?.stop(), west?.stop()]));

needs(
  'exported services appear behind the gateway, outlive an outage, and go with the link',
  async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'firedrill' } };
    await applyAll(east.admin, [namespace, ...customResources(), namespace], () => undefined);
    const exported = (name: string, labels?: Record<string, string>) =>
      west.admin.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default', ...(labels ? { labels } : {}) },
        spec: { ports: [{ port: 80 }] },
      });
    await exported('cart', { 'mesh.firedrill.dev/exported': 'true' });
    await exported('private');
    const data = { server: west.server, 'ca.crt': west.ca, token: 'wrong' };
    const encoded = (fields: Record<string, string>) =>
      Object.fromEntries(
        Object.entries(fields).map(([k, v]) => [k, Buffer.from(v).toString('base64')]),
      );
    const destinations = new Map<string, Destination>();
    const take = (change: SourceChange): void => {
      for (const d of change.destinations ?? []) destinations.set(d.name, d);
      for (const name of change.removedDestinations ?? []) destinations.delete(name);
    };
    let problems: readonly string[] = [];
    const clock = new SimulatedClock();
    const source = new KubernetesSource(east.admin, {
      trustDomain: 'test.local',
      linksIn: 'firedrill',
      clock,
    });
    await source.start({ replace: take, update: take, problems: (list) => (problems = list) });
    const linked = (name: string, gatewayAddress: string, namespace = 'firedrill') =>
      east.admin.create({
        apiVersion: 'mesh.firedrill.dev/v1alpha1',
        kind: 'MultiClusterLink',
        metadata: { name, namespace },
        spec: {
          clusterName: 'west',
          gatewayAddress,
          gatewayIdentity: 'gateway.firedrill.serviceaccount.identity.west.local',
          credentialsSecret: 'west',
        },
      });
    const gatewayOf = (name: string) => destinations.get(name)?.backends[0]?.endpoints[0]?.address;
    // Neither a link of a tenant, nor one that every proxy would refuse, takes the place of the link.
    await linked('a', '192.0.2.66:4143', 'default');
    await linked('b', '192.0.2.66:99999');
    await linked('west', '192.0.2.9:4143');
    // The Secret comes after its link, and its token is mended later.
    const isSaid = (text: RegExp) => () => {
      clock.advance(15_000);
      return problems.length === 1 && text.test(problems[0] as string);
    };
    await until(isSaid(/^link west: secrets "west" not found/), 'the missing Secret');
    const metadata = { name: 'west', namespace: 'firedrill' };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, data: encoded(data) };
    await east.admin.create(secret);
    await until(isSaid(/^link west: services: Unauthorized/), 'the wrong token');
    const whyNot = (name: string): string | undefined =>
      source.problemOfLink(
        [...source.caches.MultiClusterLink.objects.values()].find(
          (l) => l.metadata.name === name,
        ) as never,
      );
    expect(whyNot('a')).toBe('only links of namespace firedrill count');
    expect(whyNot('b')).toMatch(/99999' is no address/);
    const link = { apiVersion: 'firedrill.dev/v1', kind: 'MultiClusterLink', metadata, spec: {} };
    expect(source.problemOfLink(link)).toMatch(/Unauthorized/);
    const token = encoded({ token: west.adminToken });
    await east.admin.patch(resources.Secret, 'firedrill', 'west', { data: token });
    await until(() => {
      clock.advance(15_000);
      return destinations.has('cart-west.default');
    }, 'the mirrored service');
    expect(problems).toEqual([]);
    expect(destinations.has('private-west.default')).toBe(false);
    expect(destinations.get('cart-west.default')).toMatchObject({
      hosts: ['cart-west.default', 'cart-west.default.svc', 'cart-west.default.svc.cluster.local'],
      routes: [{ rewrite: { host: 'cart.default.svc.cluster.local' } }],
      backends: [
        {
          endpoints: [
            { address: '192.0.2.9:4143', identity: expect.stringContaining('west.local') },
          ],
        },
      ],
    });
    // A Service of this cluster has the name for as long as it is there, whatever the other cluster says meanwhile.
    const own = { name: 'cart-west', namespace: 'default' };
    const spec = { ports: [{ port: 81 }], clusterIP: 'None' };
    await east.admin.create({ apiVersion: 'v1', kind: 'Service', metadata: own, spec });
    await until(() => destinations.get('cart-west.default')?.headless, 'the own Service');
    const labels = { 'mesh.firedrill.dev/exported': 'true', changed: 'yes' };
    await west.admin.patch(resources.Service, 'default', 'cart', { metadata: { labels } });
    await exported('later', { 'mesh.firedrill.dev/exported': 'true' });
    await until(() => destinations.has('later-west.default'), 'the later service');
    expect(destinations.get('cart-west.default')?.headless).toBe(true);
    const west1 = source.caches.MultiClusterLink.objects.get('firedrill/west');
    const conditions = conditionOf(west1 as never, source.store, {
      taken: source.takenFrom(west1 as never),
    });
    expect(conditions).toMatchObject({ status: 'True', reason: 'NameTaken' });
    expect(conditions.message).toMatch(/ has: cart-west\.default$/);
    await east.admin.remove(resources.Service, 'default', 'cart-west');
    await until(() => gatewayOf('cart-west.default') === '192.0.2.9:4143', 'the gateway again');
    await west.stopApiServer();
    await until(() => problems.some((p) => p.startsWith('link west')), 'the problem');
    expect(destinations.has('cart-west.default')).toBe(true);
    await west.startApiServer();
    await exported('catalog', { 'mesh.firedrill.dev/exported': 'true' });
    await until(() => destinations.has('catalog-west.default'), 'the second service');
    // A second link of the same cluster name waits until the first is gone.
    await linked('west-2', '192.0.2.10:4143');
    await until(() => source.caches.MultiClusterLink.objects.size === 4, 'the second link');
    await west.admin.remove(resources.Service, 'default', 'catalog');
    await until(() => !destinations.has('catalog-west.default'), 'its removal');
    expect(gatewayOf('cart-west.default')).toBe('192.0.2.9:4143');
    await east.admin.remove(resources.MultiClusterLink, 'firedrill', 'west');
    await until(() => gatewayOf('cart-west.default') === '192.0.2.10:4143', 'the second link');
    await east.admin.remove(resources.MultiClusterLink, 'firedrill', 'west-2');
    await until(() => !destinations.has('cart-west.default'), 'the end of the link');
    expect(problems).toEqual([]);
    await source.stop();
  },
);
