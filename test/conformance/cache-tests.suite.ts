/**
 * The conformance suite of HTTP caches: a proxy without a cache changes nothing, so each test must end as without it.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import { server, startProxy, state, until, destination } from '../mesh/proxy/rig.js';
import { keepScore } from './scores.js';
import { checkout } from './sources.js';

const repository = 'http-tests/cache-tests';
const commit = 'b55b8bda3dbb8c927c04e85bd8d496a8caa3e4ba';

/**
 * The proxy may differ in these cases: the server breaks the connection (a failed fetch becomes a 502), answers with an
 * unknown coding (502, RFC 9112, 6.1), or the test quotes a clock.
 */
const maxDifferent = 10;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );

function run(suite: string, port: number): Promise<Record<string, unknown>> {
  const env = {
    ...process.env,
    npm_config_base: `http://127.0.0.1:${port}`,
    npm_config_id: '',
    npm_package_config_id: '',
  };
  const args = ['--no-warnings', 'test-engine/cli.mjs'];
  return new Promise((resolve, reject) => {
    const options = { cwd: suite, env, maxBuffer: 1 << 26 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr || error.message));
      else resolve(JSON.parse(stdout.slice(stdout.indexOf('{'))) as Record<string, unknown>);
    });
  });
}

test('cache-tests: the same through both sides of a proxy as without one', async () => {
  const suite = checkout(repository, commit);
  // The suite's client needs undici, which our tests use as well.
  const modules = join(suite, 'node_modules');
  if (!existsSync(modules)) symlinkSync(join(packageRoot, 'node_modules'), modules);
  const port = await freePort();
  const origin = spawn(process.execPath, ['test-engine/server/server.mjs'], {
    cwd: suite,
    stdio: 'ignore',
    env: {
      ...process.env,
      npm_config_protocol: 'http',
      npm_config_port: String(port),
      npm_config_pidfile: '/dev/null',
    },
  });
  const inside = await startProxy({
    sides: ['inbound'],
    state: state({ servers: [server(1, `127.0.0.1:${port}`)] }),
  });
  const outside = await startProxy({
    state: state({
      destinations: [
        destination('origin', [`127.0.0.1:${inside.inbound}`], { hosts: ['127.0.0.1'] }),
      ],
    }),
  });
  try {
    await until(() => answers(port));
    const [direct, through] = await Promise.all([run(suite, port), run(suite, outside.outbound)]);
    const ids = Object.keys(direct);
    const different = ids.filter(
      (id) => JSON.stringify(direct[id]) !== JSON.stringify(through[id]),
    );
    keepScore({
      suite: 'cache-tests',
      version: commit,
      what: 'the same as without the proxy',
      passed: ids.length - different.length,
      of: ids.length,
      note: `different: ${different.join(', ') || 'none'}`,
    });
    expect(ids.length).toBeGreaterThan(300);
    expect(different.length, different.join(' ')).toBeLessThanOrEqual(maxDifferent);
  } finally {
    origin.kill();
    await outside.stop();
    await inside.stop();
  }
});
