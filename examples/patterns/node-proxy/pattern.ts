/** One proxy for all apps of a node: fewer processes, and an identity that is the node's. */
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const nodeProxy: Pattern = {
  name: 'node-proxy',
  summary: 'one proxy a node, shared by all of its apps',
  async run(stage) {
    const [outA, inB, outB] = (await freePorts(3)) as [number, number, number];
    const web = await stage.app('web', `127.0.0.1:${outA}`);
    const onNodeB = { cart: await stage.app('cart'), stock: await stage.app('stock') };
    const mesh = await stage.mesh('demo.local');
    const nodeB = { address: `127.0.0.1:${inB}`, identity: mesh.identity('node-b') };
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: Object.entries(onNodeB).flatMap(([name, app]) => [
        // For clients the app is behind its node's proxy, which knows the app by another name.
        {
          name,
          namespace,
          endpoints: [nodeB],
          routes: [{ name: 'all', rewrite: { host: `${name}.node-b` } }],
        },
        // On the node this name leads to the app itself.
        { name, namespace: 'node-b', endpoints: [{ address: app, plaintext: true }] },
      ]),
      servers: [
        // An inbound request goes out again by its host name, to the app of that name.
        {
          workload: 'node-b',
          namespace,
          name: 'node',
          port: inB,
          target: `127.0.0.1:${outB}`,
        },
      ],
      authorizations: [
        {
          name: 'nodes-call-node-b',
          namespace,
          server: 'node',
          workload: 'node-b',
          from: [{ serviceAccount: 'node-a', namespace }],
        },
      ],
    });
    await Promise.all([
      mesh.proxy({ name: 'node-a', outbound: outA }),
      mesh.proxy({ name: 'node-b', inbound: inB, outbound: outB }),
    ]);
    for (const name of Object.keys(onNodeB)) {
      await stage.expect(
        `web on node a calls ${name} on node b`,
        () => stage.ask(web, 'web', `/via/${name}.demo/x`),
        { status: 200, app: name, path: '/x' },
      );
    }
    await stage.expect('from outside the mesh', () => stage.ask(nodeB.address, 'cart.node-b'), {
      status: 403,
    });
  },
};
