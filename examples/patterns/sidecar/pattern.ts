/** A proxy beside every app: the app sends its calls to its own proxy, and the identity is the workload's. */
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const sidecar: Pattern = {
  name: 'sidecar',
  summary: 'a proxy beside every app (examples/retail is a whole shop of them)',
  async run(stage) {
    const [webOut, cartIn] = (await freePorts(2)) as [number, number];
    const web = await stage.app('web', `127.0.0.1:${webOut}`);
    const cart = await stage.app('cart');
    const mesh = await stage.mesh('demo.local');
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [{ name: 'cart', namespace, endpoints: [{ address: `127.0.0.1:${cartIn}` }] }],
      servers: [{ workload: 'cart', namespace, name: 'http', port: cartIn, target: cart }],
      authorizations: [
        {
          name: 'web-calls-cart',
          namespace,
          server: 'http',
          workload: 'cart',
          from: [{ serviceAccount: 'web', namespace }],
        },
      ],
    });
    await Promise.all([
      mesh.proxy({ name: 'web', outbound: webOut }),
      mesh.proxy({ name: 'cart', inbound: cartIn }),
    ]);
    await stage.expect('web calls cart', () => stage.ask(web, 'web', '/via/cart.demo'), {
      status: 200,
      app: 'cart',
      caller: mesh.identity('web'),
    });
    await stage.expect('without an identity', () => stage.ask(`127.0.0.1:${cartIn}`, 'cart.demo'), {
      status: 403,
    });
    await stage.expect('what is not in the registry', () => stage.ask(web, '', '/via/nowhere'), {
      status: 502,
    });
  },
};
