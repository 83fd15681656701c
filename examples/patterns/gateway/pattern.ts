/** North-south traffic: one public port, routes by host and path, and mutual TLS behind the gateway. */
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const gateway: Pattern = {
  name: 'gateway',
  summary: 'a public port whose routes lead into the mesh',
  async run(stage) {
    const [open, webIn, cartIn] = (await freePorts(3)) as [number, number, number];
    const apps = { web: await stage.app('web'), cart: await stage.app('cart') };
    const mesh = await stage.mesh('demo.local');
    const ports = { web: webIn, cart: cartIn };
    const names = Object.keys(apps) as (keyof typeof apps)[];
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [
        {
          name: 'web',
          namespace,
          hosts: ['shop.example.com'],
          endpoints: [{ address: `127.0.0.1:${webIn}` }],
          backends: [
            {
              name: 'cart',
              serviceAccount: 'cart',
              endpoints: [{ address: `127.0.0.1:${cartIn}` }],
            },
          ],
          routes: [
            {
              name: 'cart',
              match: [{ path: { prefix: '/cart' } }],
              split: [{ backend: 'cart', weight: 1 }],
              timeouts: { request: '5s' },
            },
            { name: 'old', match: [{ path: { exact: '/basket' } }], redirect: { path: '/cart' } },
            { name: 'web', timeouts: { request: '5s' } },
          ],
        },
      ],
      servers: names.map((name) => ({
        workload: name,
        namespace,
        name: 'http',
        port: ports[name],
        target: apps[name],
      })),
      authorizations: names.map((name) => ({
        name: `gateway-calls-${name}`,
        namespace,
        server: 'http',
        workload: name,
        from: [{ serviceAccount: 'gateway', namespace }],
      })),
    });
    await Promise.all([
      // The gateway is a proxy without an app: its outbound side is the public port.
      mesh.proxy({ name: 'gateway', outbound: open }),
      ...names.map((name) => mesh.proxy({ name, inbound: ports[name] })),
    ]);
    const shopper = (path: string) => stage.ask(`127.0.0.1:${open}`, 'shop.example.com', path);
    const caller = mesh.identity('gateway');
    await stage.expect('a shopper asks /', () => shopper('/'), { status: 200, app: 'web', caller });
    await stage.expect('a shopper asks /cart/1', () => shopper('/cart/1'), {
      status: 200,
      app: 'cart',
      caller,
    });
    await stage.expect('a shopper asks /basket', () => shopper('/basket'), { status: 302 });
    await stage.expect('another host', () => stage.ask(`127.0.0.1:${open}`, 'other.example.com'), {
      status: 502,
    });
    await stage.expect('past the gateway', () => stage.ask(`127.0.0.1:${webIn}`, 'web.demo'), {
      status: 403,
    });
  },
};
