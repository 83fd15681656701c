/** Two meshes, each with a controller and a trust anchor of its own, linked by a gateway. */
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const twoDomains: Pattern = {
  name: 'two-domains',
  summary: 'two trust domains with federated anchors, linked by a gateway',
  async run(stage) {
    const [webOut, cartIn, gatewayIn, gatewayOut] = (await freePorts(4)) as [
      number,
      number,
      number,
      number,
    ];
    const web = await stage.app('web', `127.0.0.1:${webOut}`);
    const cart = await stage.app('cart');
    const east = await stage.mesh('east.local');
    const west = await stage.mesh('west.local');
    east.trust(west);
    west.trust(east);
    const westGateway = {
      address: `127.0.0.1:${gatewayIn}`,
      identity: west.identity('gateway'),
    };
    await east.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [
        {
          // The service has one name here and its own name there, as a MultiClusterLink mirrors it.
          name: 'cart-west',
          namespace,
          endpoints: [westGateway],
          routes: [{ name: 'all', rewrite: { host: `cart.${namespace}` } }],
        },
      ],
    });
    await west.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [{ name: 'cart', namespace, endpoints: [{ address: `127.0.0.1:${cartIn}` }] }],
      servers: [
        { workload: 'cart', namespace, name: 'http', port: cartIn, target: cart },
        {
          workload: 'gateway',
          namespace,
          name: 'link',
          port: gatewayIn,
          target: `127.0.0.1:${gatewayOut}`,
        },
      ],
      authorizations: [
        {
          name: 'east-may-enter',
          namespace,
          server: 'link',
          workload: 'gateway',
          // The identity has a name and a domain; `*.east.local` would admit the whole domain.
          from: [{ identity: east.identity('web') }],
        },
        {
          name: 'gateway-calls-cart',
          namespace,
          server: 'http',
          workload: 'cart',
          from: [{ serviceAccount: 'gateway', namespace }],
        },
      ],
    });
    const [gatewayAdmin] = await Promise.all([
      west.proxy({ name: 'gateway', inbound: gatewayIn, outbound: gatewayOut }),
      east.proxy({ name: 'web', outbound: webOut }),
      west.proxy({ name: 'cart', inbound: cartIn }),
    ]);
    await stage.expect(
      'web in east.local calls cart in west.local',
      () => stage.ask(web, 'web', '/via/cart-west.demo'),
      { status: 200, app: 'cart', caller: west.identity('gateway') },
    );
    // The stranger has the same anchors, but its name is not on the list.
    const [strangerOut] = (await freePorts(1)) as [number];
    await east.proxy({ name: 'stranger', outbound: strangerOut });
    const stranger = await stage.app('stranger', `127.0.0.1:${strangerOut}`);
    const tried = async () => {
      const { status } = await stage.ask(stranger, 'stranger', '/via/cart-west.demo');
      if (status === 200) throw new Error('a stranger was let in');
      const { text } = await stage.ask(gatewayAdmin, 'admin', '/metrics');
      const denials = text
        .split('\n')
        .filter((line) => /^inbound_\w+_authz_deny_total\{/.test(line));
      const named = denials.some((line) => line.includes(east.identity('stranger')));
      return { text: named ? 'denied, by name' : denials.join('\n') };
    };
    await stage.expect('another workload of east.local', tried, { text: 'denied, by name' });
  },
};
