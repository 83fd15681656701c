/** Informers on a real API server: no change is lost after restarts, expired versions and new lists (C3). */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep } from '../../base/clock.js';
import { findTool } from '../../base/tools.js';
import { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { tokenCredentials } from '../../mesh/kubernetes/client/credentials.js';
import { Informer } from '../../mesh/kubernetes/client/informer.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
let cluster: Cluster;

beforeAll(async () => {
  if (findTool('kube-apiserver') && findTool('etcd')) cluster = await startCluster();
});
afterAll(() => cluster?.stop());

const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
});

describe('against a real API server', () => {
  needs('follows changes and survives a restart of the server without forgetting', async () => {
    const informer = new Informer(cluster.admin, resources.ConfigMap, { namespace: 'default' });
    const told: string[] = [];
    informer.onChange((now, before) =>
      told.push(`${before ? (now ? '~' : '-') : '+'}${(now ?? before)?.metadata.name}`),
    );
    await informer.start();
    told.length = 0;
    await cluster.admin.create(configMap('a', '1'));
    await until(() => told.includes('+a'));
    await cluster.stopApiServer();
    expect(informer.get('default', 'a')).toBeDefined();
    await cluster.startApiServer();
    expect(informer.get('default', 'a')).toBeDefined();
    await cluster.admin.create(configMap('b', '1'));
    await until(() => told.includes('+b'));
    expect(told.filter((t) => t === '-a')).toEqual([]);
    await cluster.admin.remove(resources.ConfigMap, 'default', 'a');
    await until(() => told.includes('-a'));
    informer.stop();
  });

  needs('takes a kind that is not installed as an empty list', async () => {
    const informer = new Informer(cluster.admin, resources.HTTPRoute);
    await informer.start();
    expect(informer.objects.size).toBe(0);
    informer.stop();
  });
});

describe('against a scripted server', () => {
  test.each(['silent', 'cut off'])('a watch that is %s', async (end) => {
    const server = createServer((_, response) => {
      response.write(`${JSON.stringify({ type: 'ADDED', object: configMap('a', '1') })}\n`);
      if (end === 'cut off') setImmediate(() => response.destroy());
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    const told: string[] = [];
    const watch = api.watch(
      '/api/v1/configmaps',
      {},
      ({ object }) => told.push(object.metadata.name ?? ''),
      { signal: new AbortController().signal, silenceMs: end === 'silent' ? 100 : 60_000 },
    );
    // Nothing happened for a while, which is no problem; a connection that breaks is one.
    if (end === 'silent') await watch;
    else await expect(watch).rejects.toThrow('aborted');
    expect(told).toEqual(['a']);
    api.close();
    server.closeAllConnections();
    server.close();
  });

  test('re-lists after 410 and tells only what differs, with no moment of emptiness', async () => {
    const item = (name: string, version: string) => ({
      metadata: { name, namespace: 'x', resourceVersion: version },
    });
    const lists = [
      [item('kept', '1'), item('gone', '2'), item('changed', '3')],
      [item('kept', '1'), item('changed', '9'), item('new', '10')],
    ];
    let listed = 0;
    let watched = 0;
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (!request.url?.includes('watch=true')) {
        const items = lists[Math.min(listed++, 1)];
        response.end(JSON.stringify({ items, metadata: { resourceVersion: String(listed * 10) } }));
        return;
      }
      watched++;
      if (watched === 1) {
        const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
        response.end(`${JSON.stringify({ type: 'ERROR', object: gone })}\n`);
      } else response.flushHeaders();
    }).listen(0, '127.0.0.1');
    await until(() => server.listening);
    const port = (server.address() as { port: number }).port;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    const informer = new Informer(api, resources.Service);
    const sizes: number[] = [];
    const told: string[] = [];
    informer.onChange((now, before) => {
      sizes.push(informer.objects.size);
      told.push(`${before ? (now ? '~' : '-') : '+'}${(now ?? before)?.metadata.name}`);
    });
    await informer.start();
    told.length = 0;
    sizes.length = 0;
    await until(() => informer.lists === 2);
    await sleep(20);
    expect(told.sort()).toEqual(['+new', '-gone', '~changed']);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(2);
    informer.stop();
    api.close();
    server.closeAllConnections();
    server.close();
  });

  test('objects of a long list are trimmed page by page, so that few whole ones are held at a time', async () => {
    const pages = [['a', 'b'], ['c']];
    const events: string[] = [];
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url?.includes('watch=true')) return response.flushHeaders();
      events.push('page');
      const items = (pages.shift() ?? []).map((name) => ({
        metadata: { name, namespace: 'x', resourceVersion: '1', managedFields: [] },
      }));
      const next = pages.length > 0 ? { continue: 'more' } : {};
      response.end(JSON.stringify({ items, metadata: { resourceVersion: '1', ...next } }));
    }).listen(0, '127.0.0.1');
    await until(() => server.listening);
    const port = (server.address() as { port: number }).port;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    const trim = ({ metadata }: { metadata: { name: string } }): unknown => {
      events.push(`trim ${metadata.name}`);
      return { metadata: { name: metadata.name, namespace: 'x', resourceVersion: '1' } };
    };
    const informer = new Informer(api, resources.Service, { trim });
    await informer.start();
    expect(events).toEqual(['page', 'trim a', 'trim b', 'page', 'trim c']);
    expect([...informer.objects.values()].filter((o) => 'managedFields' in o.metadata)).toEqual([]);
    expect([...informer.objects.keys()]).toEqual(['x/a', 'x/b', 'x/c']);
    informer.stop();
    api.close();
    server.closeAllConnections();
    server.close();
  });

  test.each([resources.Service, resources.HTTPRoute])(
    'a 404 for everything, as from a load balancer, takes away nothing that is known: $kind',
    async (resource) => {
      let isAway = false;
      const watches: ServerResponse[] = [];
      const server = createServer((request, response) => {
        if (isAway) {
          response.writeHead(404, { 'content-type': 'text/html' });
          return response.end('<html><h1>404 page not found</h1></html>');
        }
        response.setHeader('content-type', 'application/json');
        if (request.url?.includes('watch=true')) {
          watches.push(response);
          return response.flushHeaders();
        }
        const items = [{ metadata: { name: 'web', namespace: 'x', resourceVersion: '1' } }];
        response.end(JSON.stringify({ items, metadata: { resourceVersion: '1' } }));
      }).listen(0, '127.0.0.1');
      await until(() => server.listening);
      const port = (server.address() as { port: number }).port;
      const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
      const problems: (string | undefined)[] = [];
      const informer = new Informer(api, resource, { onProblem: (p) => problems.push(p) });
      const told: string[] = [];
      await informer.start();
      informer.onChange((now) => told.push(now ? 'changed' : 'gone'));
      await until(() => watches.length > 0);
      isAway = true;
      for (const watch of watches.splice(0)) watch.destroy();
      await until(() => problems.some((p) => p?.includes('404')));
      expect([[...informer.objects.keys()], told]).toEqual([['x/web'], []]);
      isAway = false;
      await until(() => watches.length > 0);
      const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '2' } } };
      watches[0]?.write(`${JSON.stringify(bookmark)}\n`);
      await until(() => problems.at(-1) === undefined);
      expect([[...informer.objects.keys()], told]).toEqual([['x/web'], []]);
      informer.stop();
      api.close();
      server.closeAllConnections();
      server.close();
    },
  );

  test('a listener that throws as a kind vanishes stops neither the cache nor the other listeners', async () => {
    let isInstalled = true;
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
      response.setHeader('content-type', 'application/json');
      const isList = pathname.endsWith('/httproutes');
      if (isInstalled && searchParams.get('watch')) {
        isInstalled = false;
        return response.end();
      }
      if (!isList) return response.end('{"kind":"APIGroupList","groups":[]}');
      if (!isInstalled) {
        response.statusCode = 404;
        return response.end('{"kind":"Status","code":404,"reason":"NotFound"}');
      }
      const metadata = { name: 'web', namespace: 'x', resourceVersion: '1' };
      response.end(JSON.stringify({ items: [{ metadata }], metadata: { resourceVersion: '1' } }));
    }).listen(0, '127.0.0.1');
    await until(() => server.listening);
    const port = (server.address() as { port: number }).port;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    const problems: (string | undefined)[] = [];
    const informer = new Informer(api, resources.HTTPRoute, {
      onProblem: (message) => problems.push(message),
    });
    const told: string[] = [];
    informer.onChange((now) => {
      if (!now) throw new Error('a bad listener');
    });
    informer.onChange((now, before) => told.push(now ? '+' : before ? '-' : '?'));
    await informer.start();
    await until(() => told.includes('-'));
    expect(told).toEqual(['+', '-']);
    expect(informer.objects.size).toBe(0);
    expect(problems).toContain('httproutes: x/web: a bad listener');
    informer.stop();
    server.closeAllConnections();
    server.close();
  });

  test.each([
    ['text/html', '<html>welcome</html>'],
    ['application/json', '{"items":null,"metadata":{"resourceVersion":"1"}}'],
    ['application/json', '{}'],
  ])('a 200 of something else is no empty list: %s %s', async (type, body) => {
    const server = createServer((_, response) => {
      response.setHeader('content-type', type);
      response.end(body);
    }).listen(0, '127.0.0.1');
    await until(() => server.listening);
    const { port } = server.address() as AddressInfo;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    await expect(api.list(resources.Service)).rejects.toThrow(
      'GET /api/v1/services: the answer is no list',
    );
    api.close();
    server.close();
  });

  test("a kind of somebody else's definition is read in the version that it has", async () => {
    const group = 'split.smi-spec.io';
    const answers: Record<string, unknown> = {
      '/apis': {
        kind: 'APIGroupList',
        groups: [{ name: group, versions: [{ version: 'v1alpha2' }] }],
      },
      [`/apis/${group}/v1alpha2`]: {
        kind: 'APIResourceList',
        resources: [{ name: 'trafficsplits' }],
      },
      [`/apis/${group}/v1alpha2/trafficsplits`]: {
        items: [{ metadata: { name: 'web', namespace: 'x', resourceVersion: '1' } }],
        metadata: { resourceVersion: '1' },
      },
    };
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
      response.setHeader('content-type', 'application/json');
      if (searchParams.get('watch')) return response.flushHeaders();
      const answer = answers[pathname];
      if (!answer) response.statusCode = 404;
      response.end(JSON.stringify(answer ?? { kind: 'Status', code: 404, reason: 'NotFound' }));
    }).listen(0, '127.0.0.1');
    await until(() => server.listening);
    const port = (server.address() as { port: number }).port;
    const api = new KubeApi(tokenCredentials(`http://127.0.0.1:${port}`, '', 't'));
    const problems: unknown[] = [];
    const informer = new Informer(api, resources.TrafficSplit, {
      onProblem: (message) => problems.push(message),
    });
    await informer.start();
    expect([...informer.objects.keys()]).toEqual(['x/web']);
    expect(problems).toEqual([]);
    informer.stop();
    api.close();
    server.closeAllConnections();
    server.close();
  });
});
