/** An issuer in a Secret that somebody else writes (External Secrets, cert-manager), on a real API server (C2). */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect } from 'vitest';
import { realClock } from '../../base/clock.js';
import { program } from '../../base/paths.js';
import { findTool } from '../../base/tools.js';
import { withDenial } from '../../mesh/identity/denials.js';
import type { Issuing } from '../../mesh/identity/issuing.js';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { type AnyObject, resources } from '../../mesh/kubernetes/client/objects.js';
import { applyAll } from '../../mesh/kubernetes/install/apply.js';
import { collectorObjects } from '../../mesh/kubernetes/install/collector.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { names } from '../../mesh/kubernetes/install/names.js';
import { readValues } from '../../mesh/kubernetes/install/values.js';
import { denialsInSecret } from '../../mesh/kubernetes/secret-denials.js';
import { makePki, SecretIssuerStore } from '../../mesh/kubernetes/secret-issuer.js';
import { testWith } from '../tools.js';
import { type Cluster, startCluster } from './cluster.js';
import { until } from './until.js';

const needs = testWith('kube-apiserver', 'etcd');
const namespace = 'firedrill';
const name = 'mesh-issuer';
const trustDomain = 'test.local';
let cluster: Cluster;
let controller: KubeApi;
const silent = (): void => undefined;

beforeAll(async () => {
  if (!findTool('kube-apiserver') || !findTool('etcd')) return;
  cluster = await startCluster();
  const values = readValues({ set: [`identity.issuerSecret=${name}`] });
  const objects = manifests(values).filter((m) => m.when === undefined);
  await applyAll(
    cluster.admin,
    objects.map((m) => m.object),
    silent,
  );
  controller = await cluster.as(namespace, names.controller);
});
afterAll(() => cluster?.stop());

const encoded = (parts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(parts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );

/** As an operator writes it: the whole of `data` at once. */
const write = (data: Record<string, string>): Promise<AnyObject> =>
  cluster.admin.patch(resources.Secret, namespace, name, [
    { op: 'add', path: '/data', value: encoded(data) },
  ]);

const storeOf = (): SecretIssuerStore =>
  new SecretIssuerStore(controller, {
    namespace,
    secret: name,
    ownSecret: names.issuerSecret,
    trustDomain,
    clock: realClock,
    log: silent,
  });

const anchorOf = (issuing: Issuing | undefined): string =>
  issuing?.anchors.map((a) => a.toString()).join('') ?? '';

needs('it is read with the rights of the installation, followed, and never written', async () => {
  await expect(storeOf().start(silent, silent)).rejects.toThrow(
    `secret ${namespace}/${name} (identity.issuerSecret) is not there yet; expected tls.crt`,
  );
  const [first, second] = await Promise.all([
    makePki(trustDomain, realClock),
    makePki(trustDomain, realClock),
  ]);
  const metadata = { name, namespace };
  await cluster.admin.create({ apiVersion: 'v1', kind: 'Secret', metadata, data: {} });
  await expect(storeOf().start(silent, silent)).rejects.toThrow(
    `lacks tls.crt, tls.key, ca.crt; it has nothing; expected tls.crt (the issuer's certificate`,
  );
  await write(first);
  const problems: string[] = [];
  let now: Issuing | undefined;
  const store = storeOf();
  const onProblem = (message: string): void => void problems.push(message);
  now = await store.start((next) => (now = next), onProblem);
  expect(anchorOf(now)).toBe(first['ca.crt']);

  // A denial is kept in the installation's own Secret, and outlives the operator's next write.
  const keeper = await denialsInSecret({ kubeconfig: cluster.kubeconfig, namespace });
  await keeper.change((list) => withDenial(list, { serial: 'AB', until: 9e15 }, 0));
  await until(() => now?.denied?.length === 1, 'the denial');
  await write(second);
  await until(() => anchorOf(now) === second['ca.crt'], 'the new issuer');
  expect(now.denied).toHaveLength(1);

  // Nothing unusable is taken, and each problem is named.
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  for (const [data, message] of [
    [
      { 'cert.pem': 'a', 'key.pem': 'b' },
      'lacks tls.crt, tls.key, ca.crt; it has cert.pem, key.pem',
    ],
    [{ ...second, 'ca.crt': encoded(second)['ca.crt'] ?? '' }, `${name}: ca.crt: no certificate`],
    [{ ...second, 'tls.key': 'junk' }, `${name}: tls.key: not a private key; expected PEM`],
    [
      { ...second, 'tls.key': rsa.export({ type: 'pkcs8', format: 'pem' }) as string },
      "the issuer's key does not belong to the issuer's certificate",
    ],
    [{ ...second, 'ca.crt': first['ca.crt'] ?? '' }, 'is not signed by any trust anchor'],
  ] as const) {
    await write(data);
    await until(() => problems.at(-1)?.includes(message), `${message} in ${problems.at(-1)}`);
  }
  expect(anchorOf(now)).toBe(second['ca.crt']);
  const own = await cluster.admin.get<{ data?: object }>(
    resources.Secret,
    namespace,
    names.issuerSecret,
  );
  expect(Object.keys(own.data ?? {})).not.toContain('tls.key');
  await store.stop();
});

needs(
  'check reads that Secret; a rotation by hand is refused, since it would be undone',
  async () => {
    await write(await makePki(trustDomain, realClock));
    const firedrill = (...args: string[]) =>
      spawnSync(process.execPath, [program('cli'), ...args, '--kubeconfig', cluster.kubeconfig], {
        encoding: 'utf8',
      });
    const { results } = JSON.parse(firedrill('check', '-o', 'json').stdout) as {
      results: { id: string; result: string }[];
    };
    const said = (id: string): string | undefined => results.find((r) => r.id === id)?.result;
    for (const id of ['anchors-valid', 'issuer-valid', 'issuer-lasting', 'issuer-chained']) {
      expect([id, said(`identity-${id}`)]).toEqual([id, 'success']);
    }
    const options = ['--admin', 'http://127.0.0.1:9', '--trust-domain', trustDomain];
    const { status, stderr } = firedrill(
      'identity',
      'rotate',
      'anchor',
      '--kubernetes',
      ...options,
    );
    expect([status, stderr]).toEqual([
      2,
      'the issuer is in secret firedrill/mesh-issuer, which somebody else writes; expected the rotation at its ' +
        'source: first both anchors in ca.crt, then the new issuer\n',
    ]);
  },
);

needs("the API server takes the Collector's objects", async () => {
  const place = { namespace: 'eyes', image: 'otel/opentelemetry-collector-contrib:0.165.1' };
  const reports: string[] = [];
  await applyAll(cluster.admin, collectorObjects({}, place), (r) => void reports.push(r.done));
  expect(reports).toEqual(['created', 'created', 'created', 'created']);
});
