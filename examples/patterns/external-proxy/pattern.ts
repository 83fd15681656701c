/** An app without a proxy of ours: HAProxy, with a certificate of the mesh, speaks mutual TLS for the app both ways. */
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGuarded } from '../../../base/child.js';
import { requireTool } from '../../../base/tools.js';
import { issueToFiles } from '../../../mesh/identity/issue.js';
import { freePorts } from '../../../base/ports.js';
import type { Pattern } from '../pattern.js';
import { namespace } from '../small-mesh.js';

export const externalProxy: Pattern = {
  name: 'external-proxy',
  summary: 'no sidecar: HAProxy with a certificate of the mesh stands in for it',
  needs: ['haproxy'],
  async run(stage) {
    const [webOut, webIn, hereIn, hereOut] = (await freePorts(4)) as [
      number,
      number,
      number,
      number,
    ];
    const web = await stage.app('web', `127.0.0.1:${webOut}`);
    const ledger = await stage.app('ledger', `127.0.0.1:${hereOut}`);
    const mesh = await stage.mesh('demo.local');
    await mesh.open({
      defaults: { unknownDestinations: 'refuse' },
      services: [
        { name: 'ledger', namespace, endpoints: [{ address: `127.0.0.1:${hereIn}` }] },
        { name: 'web', namespace, endpoints: [{ address: `127.0.0.1:${webIn}` }] },
      ],
      servers: [{ workload: 'web', namespace, name: 'http', port: webIn, target: web }],
      authorizations: [
        {
          name: 'ledger-calls-web',
          namespace,
          server: 'http',
          workload: 'web',
          from: [{ serviceAccount: 'ledger', namespace }],
        },
      ],
    });
    const out = join(stage.folder, 'ledger');
    const identity = mesh.identity('ledger');
    await issueToFiles({
      folder: join(mesh.folder, 'pki'),
      identity,
      out,
      lifetimeMs: 86_400_000,
    });
    const pem = `${out}.pem`;
    writeFileSync(pem, readFileSync(`${out}.crt`, 'utf8') + readFileSync(`${out}.key`, 'utf8'), {
      mode: 0o600,
    });
    const config = join(stage.folder, 'haproxy.cfg');
    const tls = `ssl crt ${pem} ca-file ${mesh.anchorsFile} verify required`;
    writeFileSync(
      config,
      `defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
# Into the app: only who shows a certificate of the mesh, and of whom the app is told.
frontend in
  bind 127.0.0.1:${hereIn} ${tls} ssl-min-ver TLSv1.3 alpn h2,http/1.1
  http-request set-header l5d-client-id %[ssl_c_s_dn(cn)]
  default_backend app
backend app
  server app ${ledger}
# Out of the app: with the app's certificate, and only to the identity that is meant.
frontend out
  bind 127.0.0.1:${hereOut}
  default_backend web
backend web
  server web 127.0.0.1:${webIn} ${tls} verifyhost ${mesh.identity('web')} sni str(${mesh.identity('web')})
`,
    );
    const haproxy = startGuarded('haproxy', requireTool('haproxy'), ['-db', '-f', config]);
    stage.atEnd(() => haproxy.stop());
    await mesh.proxy({ name: 'web', inbound: webIn, outbound: webOut });
    await stage.expect('web calls ledger', () => stage.ask(web, 'web', '/via/ledger.demo'), {
      status: 200,
      app: 'ledger',
      // HAProxy can read the certificate's common name, not its DNS name.
      caller: 'web.demo',
    });
    await stage.expect('ledger calls web', () => stage.ask(ledger, 'l', '/via/web.demo'), {
      status: 200,
      app: 'web',
      caller: identity,
    });
    await stage.expect('in plaintext', () => stage.ask(`127.0.0.1:${hereIn}`, 'ledger.demo'), {
      status: 0,
    });
  },
};
