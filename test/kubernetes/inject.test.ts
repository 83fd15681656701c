/** Injection happens once, is reversible, and gives a reason for each omission (C5). */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { asset, program } from '../../base/paths.js';
import { SimulatedClock } from '../../base/clock.js';
import type { ProxyConfig } from '../../mesh/model.js';
import type { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { answerInject, patchOf } from '../../mesh/kubernetes/inject/admission.js';
import { injectOptionsOf } from '../../mesh/kubernetes/inject/config.js';
import { injectPod, type PodLike, uninjectPod } from '../../mesh/kubernetes/inject/inject.js';
import { namespaceLookup } from '../../mesh/kubernetes/inject/namespace-lookup.js';
import { injectYaml, uninjectYaml } from '../../mesh/kubernetes/inject/offline.js';
import { isInUse } from '../../mesh/kubernetes/inject/hold.js';
import { redirectRules } from '../../mesh/kubernetes/inject/redirection.js';
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
  ['BadAnnotation', pod({}, { [key('request-label')]: 'dst=header:x-tenant' }), enabled],
  ['BadAnnotation', pod({}, { [key('request-label')]: 'tenant=x-tenant' }), enabled],
  ['NameTaken', pod({ volumes: [{ name: 'firedrill-state' }] }), enabled],
  ['BadAnnotation', pod({}, { [key('drain-seconds')]: 30 as unknown as string }), enabled],
  ['BadAnnotation', pod({}, { [key('access-log')]: 'yes' }), enabled],
  ['BadAnnotation', pod({}, { [key('proxy-image')]: '' }), enabled],
  ['BadAnnotation', pod({}, { [key('proxy-memory-request')]: '64000ki' }), enabled],
  ['PortTaken', pod({ containers: [{ name: 'a', ports: [{ containerPort: 4191 }] }] }), enabled],
  [
    'PortTaken',
    pod({ initContainers: [{ name: 'a', ports: [{ containerPort: 4143 }] }] }),
    enabled,
  ],
  ['OtherMesh', pod({ containers: [{ name: 'app' }, { name: 'linkerd-proxy' }] }), enabled],
  ['OtherMesh', pod({ initContainers: [{ name: 'istio-init' }] }), enabled],
  ['UserTaken', pod({ securityContext: { runAsUser: 2102 } }), enabled],
  [
    'UserTaken',
    pod({ containers: [{ name: 'app', securityContext: { runAsUser: 2102 } }] }),
    enabled,
  ],
  ['AnnotationsTooLong', pod({}, { 'x.io/big': 'a'.repeat(262_000) }), enabled],
  ['Windows', pod({ os: { name: 'windows' } }), enabled],
  ['Windows', pod({ nodeSelector: { 'kubernetes.io/os': 'windows' } }), enabled],
  ['AlreadyInjected', injected(pod()), enabled],
] as const)('skipped: %s', (reason, p, namespace) => {
  expect(injectPod(p, namespace, options)).toMatchObject({ skipped: reason });
});

test.each([
  ['tenant=header:x-tenant', { name: 'tenant', header: 'x-tenant' }],
  ['tenant=header:x-tenant:a, b', { name: 'tenant', header: 'x-tenant', values: ['a', 'b'] }],
  ['caller=identity:namespace', { name: 'caller', identity: 'namespace' }],
])('request-label: %s', (text, expected) => {
  const made = injected(pod({}, { [key('request-label')]: text }));
  expect(configOf(made).requestLabel).toEqual(expected);
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
    // For a canary upgrade, this namespace's proxies follow the other control plane.
    controller: { addresses: ['firedrill-controller-canary.firedrill.svc:8086'] },
  });
  expect(JSON.stringify(made.spec)).toContain('77Mi');
});

test.each([
  ['default-inbound-policy', 'deni', /expected all-unauthenticated, /],
  ['default-inbound-polcy', 'deny', /no such annotation; did you mean default-inbound-policy\?/],
  ['proxy-memory-limit', '16Mi', /at least 32Mi/],
  ['revision', 'Canary one', /the name of a control plane/],
  ['drain-seconds', '', /0 to 3600/],
])('%s: %s is no annotation to go on with', (name, value, message) => {
  const made = injectPod(pod({}, { [key(name)]: value }), enabled, options);
  expect(made).toMatchObject({ skipped: 'BadAnnotation', message: expect.stringMatching(message) });
});

test('a pod that asks for a policy by a word that is none is refused: without a proxy it would be open', () => {
  const object = pod({}, { [key('default-inbound-policy')]: 'deni' }) as never;
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u', namespace: 'shop', object },
  };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: enabled };
  const { response } = answerInject(review, namespace as never, options).answer;
  expect(response).toMatchObject({ allowed: false, status: { code: 422 } });
});

test('a namespace is asked for anew; a silent API server is given 2 s, and a burst goes to the cache', async () => {
  const clock = new SimulatedClock();
  const cached = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'known' } };
  const fresh = { ...cached, metadata: enabled };
  let find: () => Promise<unknown> = () => Promise.resolve(fresh);
  const lookup = namespaceLookup(
    { find: () => find() } as unknown as KubeApi,
    { get: (_: string, name: string) => (name === 'known' ? cached : undefined) } as never,
    clock,
  );
  expect([await lookup('known'), await lookup('new')]).toEqual([fresh, fresh]);
  find = () => new Promise(() => undefined);
  const waiting = Array.from({ length: 64 }, () => lookup('known'));
  // A look-up beyond the limit of concurrent ones does not wait at all.
  expect(await lookup('known')).toBe(cached);
  clock.advance(2000);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([cached]));
  find = () => Promise.reject(new Error('too many requests'));
  await expect(lookup('new')).rejects.toThrow('namespace new is not known: too many requests');
});

test('a limit below the default request takes the request with it: the API server would refuse the pod', () => {
  const made = injected(
    pod({}, { [key('proxy-memory-limit')]: '32Mi', [key('proxy-cpu-limit')]: '5m' }),
  );
  const proxy = made.spec.initContainers?.find((c) => c.name === 'firedrill-proxy');
  expect(proxy?.resources).toEqual({
    requests: { cpu: '5m', memory: '32Mi' },
    limits: { cpu: '5m', memory: '32Mi' },
  });
});

test('without native sidecars a Job is left alone, by name: its pod would never end', () => {
  const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'nightly', uid: 'u' }];
  const job = pod({}, { [key('native-sidecar')]: 'false' });
  job.metadata.ownerReferences = ownerReferences as never;
  expect(injectPod(job, enabled, options)).toMatchObject({ skipped: 'JobNeedsNativeSidecar' });
});

test.each([
  [{ restartPolicy: 'Never' }, [{ kind: 'Workflow' }], 'a Workflow ends when its containers end'],
  [{ restartPolicy: 'OnFailure' }, [{ kind: 'TaskRun' }], 'a TaskRun ends'],
  [{ restartPolicy: 'Never' }, undefined, undefined],
  [{}, [{ kind: 'ReplicaSet' }], undefined],
])(
  'without native sidecars, %o of %o: whoever waits for its end is not kept waiting',
  (spec, owners, why) => {
    const made = pod(spec, { [key('native-sidecar')]: 'false' });
    if (owners) made.metadata.ownerReferences = owners.map((o) => ({ ...o, name: 'x' })) as never;
    const result = injectPod(made, enabled, options);
    if (why === undefined) expect(result).not.toHaveProperty('skipped');
    else expect(result).toMatchObject({ message: expect.stringContaining(why) });
  },
);

test("the app's probes are made by its proxy, of every kind and in every container, and come back", () => {
  const before = pod({
    containers: [
      {
        name: 'app',
        ports: [{ name: 'web', containerPort: 8080 }],
        readinessProbe: {
          httpGet: {
            path: 'ready',
            port: 'web',
            scheme: 'HTTPS',
            httpHeaders: [{ name: 'X-A', value: 'b' }],
          },
          timeoutSeconds: 3,
        },
        livenessProbe: { tcpSocket: { port: 9000 }, periodSeconds: 7 },
        startupProbe: { exec: { command: ['true'] } },
        lifecycle: { preStop: { httpGet: { path: '/stop', port: 8080 } } },
      },
    ],
    initContainers: [
      { name: 'cache', restartPolicy: 'Always', startupProbe: { grpc: { port: 6000 } } },
    ],
  });
  const after = injected(before);
  const [app] = after.spec.containers;
  expect(app?.readinessProbe).toEqual({
    httpGet: { path: '/probes/app/readinessProbe', port: 4191 },
    timeoutSeconds: 3,
  });
  expect(app?.startupProbe).toEqual({ exec: { command: ['true'] } });
  expect(configOf(after).probes).toEqual({
    'app/readinessProbe': {
      kind: 'http',
      port: 8080,
      path: '/ready',
      tls: true,
      headers: [['x-a', 'b']],
      timeoutMs: 3000,
    },
    'app/livenessProbe': { kind: 'tcp', port: 9000, timeoutMs: 1000 },
    'app/preStop': { kind: 'http', port: 8080, path: '/stop', timeoutMs: 30_000 },
    'cache/startupProbe': { kind: 'grpc', port: 6000, service: '', timeoutMs: 1000 },
  });
  expect(uninjectPod(after)).toEqual(before);
});

test('a probe of another host than the pod, or of a port that nothing names, is left as it is', () => {
  const probes = {
    readinessProbe: { httpGet: { host: '10.0.0.9', port: 80 } },
    livenessProbe: { tcpSocket: { port: 'nothing' } },
  };
  const made = injected(pod({ containers: [{ name: 'app', ...probes }] }));
  expect(made.spec.containers[0]).toMatchObject(probes);
  expect(configOf(made).probes).toBeUndefined();
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
  // The proxy is the first container, and the app starts after its hook: by then the proxy is up.
  expect(plain.spec.containers.map((c) => c.name)).toEqual(['firedrill-proxy', 'app']);
  expect(JSON.stringify(plain.spec.containers[0]?.lifecycle)).toContain('await.js');
  const explicit = injected(pod({}, { [key('mode')]: 'explicit' }));
  expect(explicit.spec.initContainers?.map((c) => c.name)).toEqual(['firedrill-proxy']);
});

test('start: together is for pods that only serve; its proxy keeps no right that it begins with', () => {
  const together = { [key('start')]: 'together' };
  const made = injected(pod({}, together));
  expect(made.spec.initContainers).toBeUndefined();
  expect(made.spec.containers.map((c) => c.name)).toEqual(['firedrill-proxy', 'app']);
  const [proxy] = made.spec.containers;
  expect(proxy?.command).toContain('/app/dist/mesh/kubernetes/inject/init.js');
  expect(proxy?.securityContext).toMatchObject({ runAsUser: 0, allowPrivilegeEscalation: false });
  expect(JSON.stringify(proxy?.lifecycle)).toMatch(/await\.js.*hold\.js/);
  const others = [
    { initContainers: [{ name: 'migrate' }] },
    { restartPolicy: 'Never' },
    { containers: [{ name: 'app', securityContext: { runAsUser: 0 } }] },
    { securityContext: { runAsUser: 0 } },
  ];
  for (const spec of others) {
    const ordered = injected(pod(spec, together));
    expect(ordered.spec.initContainers?.[0]?.name, JSON.stringify(spec)).toBe('firedrill-init');
  }
  const explicit = injected(pod({}, { ...together, [key('mode')]: 'explicit' }));
  expect(explicit.spec.containers[0]?.securityContext).toMatchObject({ runAsNonRoot: true });
});

test('whoever of a pod listens or is connected, but for its proxy, keeps the proxy alive', () => {
  const row = (state: string, user: number): string =>
    `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${user}        0 1 1`;
  const table = (...rows: string[]): string => ['  sl  local_address …', ...rows, ''].join('\n');
  expect(isInUse(table(row('0A', 2102), row('01', 2102)), 2102)).toBe(false);
  expect(isInUse(table(row('0A', 1000)), 2102)).toBe(true);
  expect(isInUse(table(row('01', 0)), 2102)).toBe(true);
  // Connections that are closed, or that only the kernel still holds, are not in use.
  expect(isInUse(table(row('06', 0), row('08', 1000)), 2102)).toBe(false);
  expect(isInUse(table(), 2102)).toBe(false);
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

const guessed = ' for namespace default, as it names none';

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
  // An identity that kubectl apply -n would not fit must not come as a surprise.
  expect(once.report).toEqual(['deployment/cart injected', `cronjob/nightly injected${guessed}`]);
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

test('offline: what is not changed stays as it was written, comments and quotes and all', () => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata: { name: cart } # ours
spec:
  template:
    spec:
      containers:
        - name: app
          image: app # pinned
          args: [ "on", 'no', "0755", '1_000', "12:30:45", "y" ]
          env:
            - { name: DEBUG, value: "off" }
`;
  const { yaml } = injectYaml('in.yaml', text, options);
  for (const line of text.split('\n').slice(8)) expect(yaml).toContain(line.trim());
  expect(yaml).toContain('# ours');
  // The added lines mean the same to a reader of YAML 1.1, such as kubectl.
  expect(parseAllDocuments(yaml, { version: '1.1' })[0]?.toJS()).toEqual(
    parseAllDocuments(yaml)[0]?.toJS(),
  );
});

const podOf = (spec: string, more = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
${more}spec:
  template:
    metadata: { labels: { app: web } }
    spec:
${spec}`;
const app = `      containers:
        - name: app
          image: app
`;
/** As kubectl reads it. */
const kubectl = (yaml: string): unknown[] =>
  (parseAllDocuments(yaml, { version: '1.1', merge: true }) as { toJS(): unknown }[]).map((d) =>
    d.toJS(),
  );
type Made = { spec: { template: PodLike } };

test.each([
  [
    'a file mode',
    podOf(`${app}      volumes: [{ name: s, secret: { secretName: x, defaultMode: 0400 } }]\n`),
  ],
  [
    'a file mode beside the pod',
    `${podOf(app)}---\nkind: Odd\nmetadata: { name: o }\nspec: { mode: 0777, id: 12345678901234567890, on: yes }\n`,
  ],
  [
    'one probe twice',
    podOf(
      `${app}          livenessProbe: &p { httpGet: { path: /h, port: 80 } }
          readinessProbe: *p
          startupProbe: *p
`,
    ),
  ],
  [
    'a probe made of another',
    podOf(
      `${app}          livenessProbe: &p
            httpGet: { path: /h, port: 80 }
          readinessProbe:
            <<: *p
            periodSeconds: 1
`,
    ),
  ],
  [
    'a pod that is merged',
    podOf('      <<: *pod\n', 'x-pod: &pod { containers: [{ name: app, image: app }] }\n'),
  ],
  [
    'shared labels',
    podOf(app, 'x-labels: &l { app: web }\n').replace('labels: { app: web }', 'labels: *l'),
  ],
  [
    'a template without metadata',
    podOf(app).replace('    metadata: { labels: { app: web } }\n', ''),
  ],
])('offline, in YAML 1.1: %s comes back as it was', (_name, text) => {
  const once = injectYaml('in.yaml', text, options);
  expect(once.report).toEqual([`deployment/web injected${guessed}`]);
  expect(injectYaml('in.yaml', once.yaml, options).yaml).toBe(once.yaml);
  expect(kubectl(uninjectYaml('in.yaml', once.yaml).yaml)).toEqual(kubectl(text));
  const [before, after] = [text, once.yaml].map(kubectl) as [Made[], Made[]];
  expect(after.slice(1)).toEqual(before.slice(1));
  const probes = after[0]?.spec.template.spec.containers[0] as Record<string, unknown>;
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (kind in probes)
      expect(probes[kind]).toMatchObject({ httpGet: { path: `/probes/app/${kind}` } });
  }
  for (const { port } of Object.values(configOf(after[0]?.spec.template as PodLike).probes ?? {})) {
    expect(port).toBe(80);
  }
});

const container = '{ containers: [{ name: a, image: b }] }';
test.each([
  ['kind: List\nitems:\n', []],
  [
    'kind: Pod\nmetadata: { name: x }\nspec: { containers: }\n',
    ['pod/x skipped: it has no list of containers'],
  ],
  [
    'kind: Pod\nmetadata: { name: x }\nspec: { containers: [] }\n',
    ['pod/x skipped: it has no list of containers'],
  ],
  [
    'kind: Pod\nmetadata: { name: x }\nspec: { containers: [null] }\n',
    ['pod/x skipped: it has no list of containers'],
  ],
  [`kind: Pod\nspec: ${container}\n`, ['pod/(without a name) skipped: it has no metadata']],
  [
    'kind: Deployment\nmetadata: { name: x }\nspec: { template: text }\n',
    ['deployment/x skipped: it has no list of containers'],
  ],
  [
    `kind: Rollout\nmetadata: { name: x }\nspec: { workloadRef: { kind: Deployment, name: d } }\n`,
    ['rollout/x skipped: its pods are those of Deployment d'],
  ],
  [
    `kind: Job\nmetadata: { generateName: pi- }\nspec: { template: { spec: ${container} } }\n`,
    [`job/pi- injected${guessed}`],
  ],
  [
    `kind: PodTemplate\nmetadata: { name: x }\ntemplate: { spec: ${container} }\n`,
    [`podtemplate/x injected${guessed}`],
  ],
  [
    `kind: JobList\nitems: [{ kind: Job, metadata: { name: x }, spec: { template: { spec: ${container} } } }]\n`,
    [`job/x injected${guessed}`],
  ],
  ['kind: 5\nmetadata: { name: x }\n', []],
])('offline: says of every object what became of it: %s', (text, report) => {
  const once = injectYaml('in.yaml', text, options);
  expect(once.report).toEqual(report);
  if (!report.some((line) => line.includes(' injected'))) expect(once.yaml).toBe(text);
});

test('offline: a template that is not rendered is refused, and an uninjected pod is left alone', () => {
  const template = 'kind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n';
  expect(() => injectYaml('in.yaml', template, options)).toThrow(
    /^in\.yaml:3:\d+: .*helm template/,
  );
  const plain = podOf(`${app}      volumes: []\n`);
  expect(uninjectYaml('in.yaml', plain)).toEqual({
    yaml: plain,
    report: ['deployment/web skipped: it has no proxy'],
  });
});

test('annotations of an injected pod, copied without its proxy, do not keep a proxy away', () => {
  const probe = { readinessProbe: { httpGet: { path: '/h', port: 80 } } };
  const plain = pod({ containers: [{ name: 'app', ...probe }] });
  const { metadata, spec } = injected(plain);
  const copy = { metadata, spec: { ...spec, initContainers: [], volumes: [] } };
  expect(injected(copy)).toEqual(injected(plain));
});

test('a copy of which only our init container is left loses the list, which has no value then', () => {
  const together = pod({}, { [key('start')]: 'together' });
  const { metadata, spec } = injected(pod({}));
  const left = (spec.initContainers ?? []).filter((c) => c.name === 'firedrill-init');
  const copy = {
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, ...together.metadata.annotations },
    },
    spec: { ...spec, initContainers: left },
  };
  const steps = patchOf(copy, injected(copy));
  expect(steps).toContainEqual({ op: 'remove', path: '/spec/initContainers' });
  expect(JSON.parse(JSON.stringify(steps.filter((s) => s.op !== 'remove')))).toEqual(
    steps.filter((s) => s.op !== 'remove').map((s) => expect.objectContaining({ value: s.value })),
  );
});

test('the identity is of the account that the old field names; a CPU limit is of every container', () => {
  const { serviceAccountName: _, ...spec } = pod({ serviceAccount: 'robot' }).spec;
  expect(configOf(injected({ metadata: { name: 'a' }, spec })).identity?.name).toMatch(/^robot\./);
  const limited = injected(pod({}, { [key('proxy-cpu-limit')]: '200m' }));
  for (const { resources } of limited.spec.initContainers ?? []) {
    expect(resources).toMatchObject({ limits: { cpu: '200m' } });
  }
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
  expect(rules.filter((r) => r.startsWith('-A FIREDRILL_OUTBOUND'))).toEqual([
    '-A FIREDRILL_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN',
    // This rule precedes the exemption of the proxy's user: a call to the pod's own address arrives as a peer's call.
    '-A FIREDRILL_OUTBOUND -p tcp -o lo ! -d 127.0.0.0/8 -m owner --uid-owner 2102 -j FIREDRILL_INBOUND',
    '-A FIREDRILL_OUTBOUND -m owner --uid-owner 2102 -j RETURN',
    '-A FIREDRILL_OUTBOUND -o lo -j RETURN',
    '-A FIREDRILL_OUTBOUND -p tcp --dport 25 -j RETURN',
    '-A FIREDRILL_OUTBOUND -p tcp -j REDIRECT --to-ports 4140',
  ]);
  expect(rules.at(-3)).toBe('-A OUTPUT -p tcp -j FIREDRILL_OUTBOUND');
  const again = redirectRules(redirection, new Set(['FIREDRILL_INBOUND', 'FIREDRILL_OUTBOUND']));
  expect(again).not.toMatch(/-A (PREROUTING|OUTPUT)/);
});

test.each(['Bad_Name', 'a.b', '-a', 'a'.repeat(43)])(
  'install: no object could bear the revision %s',
  (name) => {
    expect(() => manifests(defaultValues(), name)).toThrow(/--revision .*; expected a name of a-z/);
  },
);

const withRedirector = injectOptionsOf({
  ...defaultValues(),
  redirector: { enabled: true },
});
const containersOf = ({ spec }: PodLike) => [...(spec.initContainers ?? []), ...spec.containers];

test.each(['ordered', 'together'])(
  "where the nodes redirect, a pod has nothing that Pod Security's restricted refuses (%s)",
  (start) => {
    const own = { [key('start')]: start, [key('skip-inbound-ports')]: '9000' };
    const before = pod({}, own);
    const result = injectPod(before, enabled, withRedirector);
    if ('skipped' in result) throw new Error(result.message);
    const added = containersOf(result.pod).filter((c) => c.name !== 'app');
    expect(added).toMatchObject([
      {
        name: 'firedrill-proxy',
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 2102,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
        lifecycle: { postStart: { exec: { command: expect.arrayContaining(['4191', '4140']) } } },
      },
    ]);
    expect(JSON.stringify(added)).not.toMatch(/NET_ADMIN|SETUID/);
    const text = result.pod.metadata.annotations?.[key('redirection')];
    expect(JSON.parse(text ?? '')).toEqual({ skipInbound: '4191,9000', skipOutbound: '' });
    expect(uninjectPod(result.pod)).toEqual(before);
    const explicit = injectPod(pod({}, { [key('mode')]: 'explicit' }), enabled, withRedirector);
    expect(JSON.stringify(explicit)).not.toContain(key('redirection'));
    // Its hook must not wait for a redirection that nobody writes.
    if ('skipped' in explicit) throw new Error(explicit.message);
    const hooks = containersOf(explicit.pod).flatMap((c) => c.lifecycle ?? []);
    expect(JSON.stringify(hooks)).toContain('"4191"');
    expect(JSON.stringify(hooks)).not.toContain('"4140"');
  },
);

test.each([
  ['restricted', {}, options, true],
  ['baseline', {}, options, true],
  ['baseline', { [key('start')]: 'together' }, options, true],
  ['privileged', {}, options, false],
  ['restricted', { [key('mode')]: 'explicit' }, options, false],
  ['restricted', {}, withRedirector, false],
])(
  'Pod Security %s, %j: a pod that it will refuse gets a warning that names the cure',
  (level, own, given, warned) => {
    const review = {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid: '1', namespace: 'shop', object: pod({}, own) as never },
    };
    const metadata = {
      name: 'shop',
      annotations: enabled.annotations,
      labels: { 'pod-security.kubernetes.io/enforce': level },
    };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
    const { answer, refusable } = answerInject(review, namespace, given);
    expect(answer.response).toMatchObject({ allowed: true, patchType: 'JSONPatch' });
    expect(answer.response.warnings).toEqual(warned ? [`firedrill: ${refusable}`] : undefined);
    if (warned) expect(refusable).toContain(`'${level}'`);
    if (warned) expect(refusable).toContain('redirector.enabled=true');
  },
);

test('the image has what the pods run: every command of the injector and of install is a file of it', () => {
  const dockerfile = readFileSync(asset('Dockerfile'), 'utf8');
  expect(dockerfile).toMatch(/^WORKDIR \/app$/m);
  expect(dockerfile).toMatch(/install -y [^\n]*iptables/);
  expect(dockerfile).toMatch(/^COPY --from=build \S+ \/app \/app$/m);
  const { files } = JSON.parse(readFileSync(asset('package.json'), 'utf8')) as { files: string[] };
  const together = injected(pod({}, { [key('start')]: 'together' }));
  const text = JSON.stringify([injected(pod()), together, manifests(defaultValues())]);
  const programs = new Set([...text.matchAll(/\/app\/dist\/([\w/-]+)\.js/g)].map((m) => m[1]));
  expect([...programs].sort()).toEqual([
    'cli',
    'mesh/controller/main',
    'mesh/kubernetes/inject/hold',
    'mesh/kubernetes/inject/init',
    'mesh/proxy/await',
    'mesh/proxy/main',
  ]);
  for (const module of programs) {
    expect(existsSync(program(module as string))).toBe(true);
    expect(files).toContain(`dist/${module}.js`);
  }
});
