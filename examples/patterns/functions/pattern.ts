/** Functions behind the gateway: no function runs until the first request, which is held and not refused. */
import { realClock } from '../../../base/clock.js';
import { program } from '../../../base/paths.js';
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';
import type { ActivatorOptions } from './activator.js';

export const functions: Pattern = {
  name: 'functions',
  summary: 'functions behind the gateway, scaled from zero and back',
  async run(stage) {
    const [open, activatorIn, activatorPort] = (await freePorts(3)) as [number, number, number];
    const activator = `127.0.0.1:${activatorPort}`;
    const mesh = await stage.mesh('demo.local');
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [
        {
          name: 'hello',
          namespace,
          hosts: ['hello.example.com'],
          endpoints: [{ address: `127.0.0.1:${activatorIn}` }],
          // The timeout is longer than a cold start, and a held request is not retried.
          routes: [{ name: 'all', timeouts: { request: '30s' } }],
        },
      ],
      servers: [
        { workload: 'hello', namespace, name: 'http', port: activatorIn, target: activator },
      ],
      authorizations: [
        {
          name: 'gateway-calls-hello',
          namespace,
          server: 'http',
          workload: 'hello',
          from: [{ serviceAccount: 'gateway', namespace }],
        },
      ],
    });
    const options: ActivatorOptions = {
      port: activatorPort,
      idleMs: 1500,
      startLimitMs: 20_000,
      maxHeld: 1000,
      functionStartMs: 300,
    };
    await Promise.all([
      mesh.start('activator', program('examples/patterns/functions/activator'), [
        JSON.stringify(options),
      ]),
      mesh.proxy({ name: 'gateway', outbound: open }),
      mesh.proxy({ name: 'hello', inbound: activatorIn }),
    ]);
    const state = () => stage.ask(activator, 'activator', '/-/state');
    const ask = () => stage.ask(`127.0.0.1:${open}`, 'hello.example.com', '/greet');
    await stage.expect('nothing runs', state, {
      text: '{"pid":null,"held":0,"starts":0,"ends":0}',
    });
    const fromMs = realClock.monotonicMs();
    const first = await Promise.all(Array.from({ length: 20 }, ask));
    const tookMs = Math.round(realClock.monotonicMs() - fromMs);
    stage.say(`      20 requests at once to a function that did not run took ${tookMs} ms`);
    await stage.expect(
      'all are answered, by one process',
      async () => ({
        status: first.filter((r) => r.status === 200).length,
        app: `${JSON.parse((await state()).text).starts} start`,
        ...(first[0]?.caller !== undefined && { caller: first[0].caller }),
      }),
      { status: 20, app: '1 start', caller: mesh.identity('gateway') },
    );
    await stage.expect('idle, it ends', state, {
      text: '{"pid":null,"held":0,"starts":1,"ends":1}',
    });
    await stage.expect('and starts again', ask, { status: 200, app: 'function' });
  },
};
