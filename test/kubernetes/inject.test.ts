/** Injection: once, reversible, and with a reason wherever it does not happen (C5). */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { asset, program } from '../../base/paths.js';
import type { ProxyConfig } from '../../mesh/model.js';
import { answerInject, patchOf } from '../../mesh/kubernetes/inject/admission.js';
import { injectOptionsOf } from '../../mesh/kubernetes/inject/config.js';
import { injectPod, type PodLike, uninjectPod } from '../../mesh/kubernetes/inject/inject.js';
import { injectYaml, uninjectYaml } from '../../mesh/kubernetes/inject/offline.js';
import { redirectRules } from '../../mesh/kubernetes/inject/proxy-init.js';
import { manifests } from '../../mesh/kubernetes/install/manifests.js';
import { defaultValues } from '../../mesh/kubernetes/install/values.js';

const options = injectOptionsOf(defaultValues());
const enabled = { name: 'shop', annotations: { 'mesh.firedrill.dev/inject': 'enabled' } };
const pod = (
  more: Partial<PodLike['spec']> = {},
  annotations?: Record<string, string>,
): PodLike => ({
  metadata: { name: 'cart', ...(annotations ? { annotations } : {}) },
  spec: { serviceAccountName: 'cart', containers: [{ name: 'app', image: 'app' }], ...more },
});
const key = (name: string): string => `mesh.firedrill.dev/${name}`;

function injected(p: PodLike, namespace = enabled): PodLike {
  const result = injectPod(p, namespace, options);
  if ('skipped' in result) throw new Error(result.message);
  return result.pod;
}
const configOf = (p: PodLike): ProxyConfig =>
  JSON.parse(p.metadata.annotations?.[key('proxy-config')] ?? '') as ProxyConfig;

test.each([
  ['NotEnabled', pod(), { name: 'shop' }],
  ['Disabled', pod({}, { [key('inject')]: 'disabled' }), enabled],
  ['HostNetwork', pod({ hostNetwork: true }), enabled],
  ['ControlPlane', pod(), { ...enabled, name: 'firedrill' }],
  ['BadAnnotation', pod({}, { [key('inject')]: 'yes' }), enabled],
  ['BadAnnotation', pod({}, { [key('skip-inbound-ports')]: '80-70' }), enabled],
  ['BadAnnotation', pod({}, { [key('trace-sampling')]: '2' }), enabled],
  ['NameTaken', pod({ volumes: [{ name: 'firedrill-state' }] }), enabled],
  ['AlreadyInjected', injected(pod()), enabled],
] as const)('skipped: %s', (reason, p, namespace) => {
  expect(injectPod(p, namespace, options)).toMatchObject({ skipped: reason });
});

test('annotations of the pod win over those of its namespace, and reach the proxy', () => {
  const namespace = {
    name: 'shop',
    annotations: {
      ...enabled.annotations,
      [key('skip-outbound-ports')]: '25',
      [key('drain-seconds')]: '11',
      [key('revision')]: 'canary',
    },
  };
  const made = injected(
    pod({}, { [key('drain-seconds')]: '13', [key('proxy-memory-limit')]: '77Mi' }),
    namespace,
  );
  expect(configOf(made)).toMatchObject({
    drainSeconds: 13,
    skipPorts: { inbound: [], outbound: [25] },
    identity: { name: 'cart.shop.serviceaccount.identity.cluster.local' },
    // A canary upgrade: this namespace's proxies follow the other control plane.
    controller: { addresses: ['firedrill-controller-canary.firedrill.svc:8086'] },
  });
  expect(JSON.stringify(made.spec)).toContain('77Mi');
});

test('native sidecars come before the app, the init container before them; else an ordinary container', () => {
  const inits = [{ name: 'migrate' }];
  const native = injected(pod({ initContainers: inits }));
  expect(native.spec.initContainers?.map((c) => c.name)).toEqual([
    'firedrill-init',
    'firedrill-proxy',
    'migrate',
  ]);
  const plain = injected(pod({ initContainers: inits }, { [key('native-sidecar')]: 'false' }));
  expect(plain.spec.initContainers?.map((c) => c.name)).toEqual(['migrate', 'firedrill-init']);
  expect(plain.spec.containers.map((c) => c.name)).toEqual(['app', 'firedrill-proxy']);
  const explicit = injected(pod({}, { [key('mode')]: 'explicit' }));
  expect(explicit.spec.initContainers?.map((c) => c.name)).toEqual(['firedrill-proxy']);
});

test('whatever the pod: taken out again it is as before, and the patch does what the code did', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(names, fc.boolean(), fc.boolean(), (containers, volumes, native) => {
      const before = pod(
        {
          containers: containers.map((name) => ({ name })),
          ...(volumes
            ? { volumes: [{ name: 'data' }], initContainers: [{ name: 'migrate' }] }
            : {}),
        },
        { [key('native-sidecar')]: String(native) },
      );
      const after = injected(before);
      expect(uninjectPod(after)).toEqual(before);
      const patched = structuredClone(before) as unknown as Record<string, Record<string, unknown>>;
      for (const { path, value } of patchOf(before, after)) {
        const [, top = '', field = ''] = path.split('/');
        (patched[top] as Record<string, unknown>)[field] = value;
      }
      expect(patched).toEqual(after);
    }),
    { numRuns: 50 },
  );
});

test('a review without a pod, or with one that is skipped, is allowed as it is', () => {
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u', object: null },
  };
  expect(answerInject(review, undefined, options).answer.response).toEqual({
    uid: 'u',
    allowed: true,
  });
});

test('offline: every kind that holds a pod, and nothing else; twice is once; back again', () => {
  const template = '{ metadata: { labels: { app: a } }, spec: { containers: [{ name: app }] } }';
  const text = `apiVersion: apps/v1
kind: Deployment
metadata: { name: cart, namespace: shop }
spec: { template: ${template} }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec: { jobTemplate: { spec: { template: ${template} } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: c }
data: { a: b }
`;
  const once = injectYaml('in.yaml', text, options);
  expect(once.report).toEqual(['deployment/cart injected', 'cronjob/nightly injected']);
  expect(injectYaml('in.yaml', once.yaml, options).yaml).toBe(once.yaml);
  const values = (yaml: string): unknown =>
    (parseAllDocuments(yaml) as { toJS(): unknown }[]).map((d) => d.toJS());
  expect(values(uninjectYaml('in.yaml', once.yaml).yaml)).toEqual(values(text));
  const [first] = values(once.yaml) as { spec: { template: PodLike } }[];
  expect(configOf(first?.spec.template as PodLike).workload).toMatchObject({
    name: 'cart',
    namespace: 'shop',
  });
  expect(() => injectYaml('in.yaml', 'a: [', options)).toThrow(/^in\.yaml:1:/);
});

test('proxy-init: what is skipped comes before what is redirected, and the jumps are made once', () => {
  const redirection = {
    inboundPort: 4143,
    outboundPort: 4140,
    proxyUserId: 2102,
    skipInbound: [4191, 8001, 8000],
    skipOutbound: [25],
  };
  const rules = redirectRules(redirection).split('\n');
  expect(rules.filter((r) => r.startsWith('-A FIREDRILL_INBOUND'))).toEqual([
    '-A FIREDRILL_INBOUND -p tcp --dport 4191 -j RETURN',
    '-A FIREDRILL_INBOUND -p tcp --dport 8000:8001 -j RETURN',
    '-A FIREDRILL_INBOUND -p tcp -j REDIRECT --to-ports 4143',
  ]);
  expect(rules.filter((r) => r.startsWith('-A FIREDRILL_OUTBOUND')).at(0)).toContain('2102');
  expect(rules.at(-3)).toBe('-A OUTPUT -p tcp -j FIREDRILL_OUTBOUND');
  const again = redirectRules(redirection, new Set(['FIREDRILL_INBOUND', 'FIREDRILL_OUTBOUND']));
  expect(again).not.toMatch(/-A (PREROUTING|OUTPUT)/);
});

test('the image has what the pods run: every command of the injector and of install is a file of it', () => {
  const dockerfile = readFileSync(asset('Dockerfile'), 'utf8');
  expect(dockerfile).toMatch(/^WORKDIR \/app$/m);
  expect(dockerfile).toMatch(/install -y [^\n]*iptables/);
  expect(dockerfile).toContain('/app/dist ./dist');
  const text = JSON.stringify([injected(pod()), manifests(defaultValues())]);
  const programs = new Set([...text.matchAll(/\/app\/dist\/([\w/-]+)\.js/g)].map((m) => m[1]));
  expect([...programs].sort()).toEqual(['cli', 'mesh/controller/main', 'mesh/proxy/main']);
  for (const module of programs) expect(existsSync(program(module as string))).toBe(true);
});
