/** The Gateway API's own conformance suite, mesh profiles, on a whole node: every test passes. */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { asset, packageVersion } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';
import { applyAll } from '../../mesh/kubernetes/install/apply.js';
import { testWith } from '../tools.js';
import { writeImage } from './image.js';
import { installMesh } from './mesh-install.js';
import { isRoot, limitMs } from './meshed.js';
import { type Node, nodeTools, startNode } from './node.js';

let node: Node | undefined;
afterAll(() => node?.stop(), limitMs);

/** The folder of build.sh's output. */
const suiteFolder = (): string =>
  join(dirname(requireTool('gateway-conformance')), 'gateway-suite');

/** The images that the suite's manifests name. */
function importImages({ folder, importImage }: Node): void {
  const registry = 'registry.k8s.io/gateway-api';
  const put = (
    name: string,
    programs: Record<string, string>,
    config: { Entrypoint: string[] },
  ) => {
    const root = join(folder, name);
    for (const [at, from] of Object.entries(programs)) {
      mkdirSync(dirname(join(root, at)), { recursive: true });
      copyFileSync(join(suiteFolder(), from), join(root, at));
    }
    if (name === 'echo-advanced') certificate(root);
    const out = join(folder, `${name}.tar`);
    writeImage(root, out, `${registry}/${name}:v1.5.1`, config);
    importImage(out);
  };
  put('echo-basic', { 'echo-basic': 'echo-basic' }, { Entrypoint: ['/echo-basic'] });
  const at = { 'usr/local/bin/server': 'echo', 'usr/local/bin/client': 'echo' };
  put('echo-advanced', at, { Entrypoint: ['/usr/local/bin/server'] });
}

/** The certificate of the suite's own servers, for which TLS is the app's business. */
function certificate(root: string): void {
  const files = ['-keyout', join(root, 'cert.key'), '-out', join(root, 'cert.crt')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=echo', ...files];
  execFileSync('openssl', request, { stdio: 'ignore' });
}

const documents = (file: string): AnyObject[] =>
  parseAllDocuments(readFileSync(join(suiteFolder(), file), 'utf8'))
    .map((d) => d.toJS() as AnyObject | null)
    .filter((d) => d !== null);

/** A run of the mesh profiles waits for these namespaces, and only the gateway part makes them. */
function awaited(): AnyObject[] {
  const names = ['app-backend', 'web-backend'].map((n) => `gateway-conformance-${n}`);
  return documents('base.yaml').filter(
    ({ kind, metadata }) =>
      names.includes(kind === 'Namespace' ? metadata.name : (metadata.namespace ?? '')) &&
      ['Namespace', 'Service', 'Deployment'].includes(kind ?? '') &&
      metadata.name !== 'tls-backend',
  );
}

interface Report {
  profiles: {
    name: string;
    core: { result: string; statistics: { Passed: number; Failed: number; Skipped: number } };
    extended?: Report['profiles'][number]['core'];
  }[];
}

const needs = isRoot ? testWith(...nodeTools, 'gateway-conformance') : test.skip;

needs("all 22 tests of the Gateway API's mesh profiles pass", { timeout: 600_000 }, async () => {
  node = await startNode();
  importImages(node);
  const crds = documents('crds.yaml').filter((d) => d.kind === 'CustomResourceDefinition');
  await applyAll(node.api, [...crds, ...awaited()], () => undefined);
  await installMesh(node);
  const report = join(node.folder, 'report.yaml');
  const said = await new Promise<string>((resolve) => {
    const env = { ...process.env, KUBECONFIG: node?.kubeconfig, REPORT: report };
    execFile(
      join(suiteFolder(), 'suite'),
      ['-test.v', '-test.run', 'TestMesh', '-test.timeout', '9m'],
      { env: { ...env, IMPLEMENTATION_VERSION: packageVersion() }, maxBuffer: 1 << 28 },
      (_, stdout, stderr) => resolve(stdout + stderr),
    );
  });
  writeFileSync(join(node.folder, 'suite.log'), said);
  const results = [...said.matchAll(/^ {4}--- (PASS|FAIL): TestMesh\/(\w+) /gm)];
  const passed = results.filter(([, verdict]) => verdict === 'PASS').map(([, , name]) => name);
  const failed = results.filter(([, verdict]) => verdict === 'FAIL').map(([, , name]) => name);
  expect({ failed, said: failed.length > 0 ? said.slice(-3000) : '' }).toEqual({
    failed: [],
    said: '',
  });
  expect(passed.length, said.slice(-3000)).toBe(22);
  const { profiles } = parse(readFileSync(report, 'utf8')) as Report;
  const scores = profiles
    .map(({ name, core, extended }) => [name, core.statistics.Passed, extended?.statistics.Passed])
    .toSorted();
  expect(scores).toEqual([
    ['MESH-GRPC', 2, undefined],
    ['MESH-HTTP', 7, 7],
  ]);
  if (process.env.UPDATE === '1') {
    copyFileSync(report, asset('bench/results/gateway-conformance.yaml'));
  }
});
