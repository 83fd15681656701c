/** A machine outside any cluster joins with a single-use token, and serves like any other endpoint. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '../../../base/paths.js';
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const vm: Pattern = {
  name: 'vm',
  summary: 'a machine outside of the cluster, joined with a token',
  async run(stage) {
    const [webOut, vmIn, thiefIn] = (await freePorts(3)) as [number, number, number];
    const web = await stage.app('web', `127.0.0.1:${webOut}`);
    const ledger = await stage.app('ledger');
    const mesh = await stage.mesh('demo.local');
    const labels = { app: 'ledger' };
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [{ name: 'ledger', namespace, selector: { labels, port: 'http' } }],
      servers: [{ labels, namespace, name: 'http', port: vmIn, target: ledger }],
      authorizations: [
        {
          name: 'web-calls-ledger',
          namespace,
          server: 'http',
          from: [{ serviceAccount: 'web', namespace }],
        },
      ],
      externalWorkloads: [
        {
          name: 'vm-1',
          namespace,
          serviceAccount: 'ledger',
          address: '127.0.0.1',
          ports: { http: vmIn },
          labels,
        },
      ],
    });
    await mesh.proxy({ name: 'web', outbound: webOut });
    const tokenFile = join(stage.folder, 'vm-1.token');
    const flags = `--service-account ledger --namespace ${namespace}`;
    const command = ['identity', 'token', ...flags.split(' '), '--out', tokenFile];
    command.push('--folder', join(mesh.folder, 'tokens'));
    stage.say(`$ firedrill ${command.join(' ')}`);
    execFileSync(process.execPath, [program('cli'), ...command], { stdio: 'ignore' });
    const copy = join(stage.folder, 'copied.token');
    copyFileSync(tokenFile, copy);
    const plan = { serviceAccount: 'ledger', labels };
    await mesh.proxy({ ...plan, name: 'vm-1', inbound: vmIn, tokenFile });
    await stage.expect('web calls the machine', () => stage.ask(web, 'web', '/via/ledger.demo'), {
      status: 200,
      app: 'ledger',
      caller: mesh.identity('web'),
    });
    // The proxy does not become ready, so the pattern does not wait for it.
    mesh
      .start(
        'thief',
        ...mesh.proxyCommand({ ...plan, name: 'vm-2', inbound: thiefIn, tokenFile: copy }),
      )
      .catch(() => undefined);
    const events = () =>
      Promise.resolve({
        text:
          /replayed-token/.exec(readFileSync(join(mesh.folder, 'events.jsonl'), 'utf8'))?.[0] ?? '',
      });
    await stage.expect('the token, used again', events, { text: 'replayed-token' });
  },
};
