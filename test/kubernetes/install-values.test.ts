/** Values of an installation and manifests to inject: what cannot work is refused before anything is written. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { program } from '../../base/paths.js';
import { readControllerConfig } from '../../mesh/controller/config.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { readValues } from '../../mesh/kubernetes/install/values.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-values-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const firedrill = (...args: string[]) =>
  spawnSync(process.execPath, [program('cli'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: join(folder, 'none') },
  });

test.each([
  ['trustDomain=a_b', 'trustDomain: expected a domain name'],
  ['trustDomain=Shop.Local', 'trustDomain: expected a domain name'],
  [`trustDomain=${'a'.repeat(64)}`, 'trustDomain: expected a domain name'],
  ['clusterDomain=.local', 'clusterDomain: expected a domain name'],
  ['image=Shop/Mesh:1', 'image: expected an image'],
  ['image=mesh:1:2', 'image: expected an image'],
  ['identity.certificateLifetime=long', 'certificateLifetime: expected a duration'],
  ['identity.certificateLifetime=1s', 'certificateLifetime: expected a duration of 1m to 365d'],
  ['proxy.otlpUrl=collector:4318', 'otlpUrl: expected http://'],
  ['proxy.resources.limits.memory=31Mi', 'limits.memory: expected at least 32Mi'],
  ['controller.resources.requests.memory=1Gi', 'requests.memory: more than limits.memory'],
  ['identity.issuerSecret=Mesh_Issuer', "issuerSecret: expected an object's name"],
  ['identity.vault.address=http://vault:8200', 'vault.address: expected https://HOST:PORT'],
  ['identity.vault.enabled=true', 'vault.address: expected https://HOST:PORT, since'],
  ['monitoring.interval=0s', 'interval: expected a duration'],
  ['monitoring.release=-kps', "release: expected a label's value"],
  ['controller.replicas=two', 'controller.replicas: expected a number'],
])('--set %s is refused', (assignment, message) => {
  expect(() => readValues({ set: [assignment] })).toThrow(message);
});

test('what Kubernetes takes is taken; a value of text may look like a number', () => {
  const images = ['localhost:5000/a/b:1.0', `ghcr.io/us/mesh@sha256:${'0'.repeat(64)}`, 'mesh'];
  for (const image of images) expect(readValues({ set: [`image=${image}`] }).image).toBe(image);
  const set = ['namespace=2026', 'trustDomain=7', 'controller.replicas=02'];
  const { namespace, trustDomain, controller } = readValues({ set });
  expect([namespace, trustDomain, controller.replicas]).toEqual(['2026', '7', 2]);
});

test('a values file gives some values of a map; a mistake has its place', () => {
  const some = readValues({ values: [file('some.yaml', 'proxy:\n  drainSeconds: 5\n')] });
  expect([some.proxy.drainSeconds, some.proxy.nativeSidecar]).toEqual([5, true]);
  const wrong = file('wrong.yaml', 'proxy:\n  drainSecond: 5\ntrustDomain: a_b\n');
  const { status, stdout, stderr } = firedrill('install', '--values', wrong);
  expect([status, stdout, stderr.replaceAll(folder, '')]).toEqual([
    2,
    '',
    '/wrong.yaml:3:14: trustDomain: expected a domain name in lower case such as cluster.local\n' +
      "/wrong.yaml:2:3: unknown field 'drainSecond' in proxy\n",
  ]);
});

test('a wrong time to wait is found before anything is applied', () => {
  const { status, stderr } = firedrill('install', '--apply', '--wait', 'banana');
  expect([status, stderr]).toEqual([2, '--wait banana; expected a duration such as 2m\n']);
});

test('inject reads a folder as kubectl does, and refuses what is none of it', () => {
  const pod = (name: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: a, image: i}]}\n`;
  mkdirSync(join(folder, 'pods', 'below.yaml'), { recursive: true });
  file('pods/b.yaml', `---\n${pod('b')}`);
  file('pods/a.json', '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}');
  file('pods/c.yml', `${pod('c')}---\n${pod('d')}`);
  file('pods/notes.txt', 'nothing: [');
  const { stdout, stderr } = firedrill('inject', join(folder, 'pods'));
  const objects = parseAllDocuments(stdout).map((d) => d.toJS() as { metadata: { name: string } });
  expect(objects.map((o) => o.metadata.name)).toEqual(['a', 'b', 'c', 'd']);
  expect(stderr).toBe(
    ['b', 'c', 'd']
      .map((name) => `pod/${name} injected for namespace default, as it names none\n`)
      .join(''),
  );
  file('pods/z.yaml', 'a: [');
  expect(firedrill('inject', join(folder, 'pods')).stdout).toBe('');
  const empty = firedrill('inject', join(folder, 'pods', 'below.yaml'));
  expect(empty.stderr).toMatch(/below\.yaml has no manifest; expected a \.yaml/);
  expect(firedrill('install', '--values', folder).stderr).toBe(
    `${folder}: a folder; expected a file\n`,
  );
});

test("the controller's configuration names the issuer that the values choose", () => {
  const issuerWith = (set: string[]) => {
    const found = manifests(readValues({ set })).find(
      ({ object }) =>
        object.kind === 'ConfigMap' && object.metadata.name === 'firedrill-controller-config',
    );
    const text =
      (found?.object.data as Record<string, string> | undefined)?.['controller.yaml'] ?? '';
    return readControllerConfig(file('controller.yaml', text)).identity.issuer;
  };
  expect(issuerWith([])).toMatchObject({ kind: 'kubernetes', secret: 'firedrill-identity-issuer' });
  expect(issuerWith(['identity.issuerSecret=mesh-issuer'])).toMatchObject({
    secret: 'mesh-issuer',
    ownSecret: 'firedrill-identity-issuer',
  });
  const set = ['enabled=true', 'address=https://vault.vault:8200', 'role=mesh'];
  expect(issuerWith(set.map((s) => `identity.vault.${s}`))).toMatchObject({
    kind: 'vault-pki',
    address: 'https://vault.vault:8200',
    mount: 'pki',
    role: 'mesh',
    login: { mount: 'kubernetes', role: 'firedrill-controller' },
    bundle: { namespace: 'firedrill', configMap: 'firedrill-trust-anchors' },
  });
});
