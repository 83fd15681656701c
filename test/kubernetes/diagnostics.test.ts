/** Each of the 25 troubleshooting entries finds its fault, and finds nothing in a healthy mesh (R2). */
import { describe, expect, test } from 'vitest';
import type { AnyObject } from '../../mesh/kubernetes/client/objects.js';
import { diagnose, entries } from '../../mesh/kubernetes/diagnostics/entries.js';
import type { Facts } from '../../mesh/kubernetes/diagnostics/entry.js';
import { injectPod } from '../../mesh/kubernetes/inject/inject.js';
import { injectOptionsOf } from '../../mesh/kubernetes/inject/config.js';
import { makeServingCertificate } from '../../mesh/kubernetes/inject/certificate.js';
import { defaultValues } from '../../mesh/kubernetes/install/values.js';
import { parseExposition } from '../../mesh/kubernetes/observe/exposition.js';
import type { Observed } from '../../mesh/kubernetes/observe/targets.js';

const nowMs = Date.UTC(2026, 0, 2);
const now = nowMs / 1000;
const dayMs = 86_400_000;
const enabled = { 'mesh.firedrill.dev/inject': 'enabled' };

const object = (kind: string, name: string, rest: object = {}, meta: object = {}): AnyObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'retail', ...meta },
  ...rest,
});

const plainPod = (rest: object = {}, meta: object = {}): AnyObject =>
  object(
    'Pod',
    'cart-1',
    { spec: { containers: [{ name: 'app' }], ...rest } },
    { labels: { app: 'cart' }, ...meta },
  );
function pod(annotations: Record<string, string> = {}, spec: object = {}): AnyObject {
  const made = injectPod(
    plainPod(spec, { annotations: { ...enabled, ...annotations } }) as never,
    { name: 'retail' },
    injectOptionsOf(defaultValues()),
  );
  if ('skipped' in made) throw new Error(made.message);
  return made.pod as AnyObject;
}

const healthyMetrics = `
request_total{direction="outbound",dst="cart.retail",rt_route="add"} 100
response_total{direction="outbound",dst="cart.retail",rt_route="add"} 100
outbound_http_route_retry_requests_total{rt_route="add"} 3
control_configured 1
control_connected 1
control_last_contact_timestamp_seconds ${now}
identity_cert_not_before_timestamp_seconds ${now - 3600}
identity_cert_expiration_timestamp_seconds ${now + 82_800}
process_cpu_seconds_total 10
process_start_time_seconds ${now - 3600}
`;
function proxy(metrics = '', config: object = {}): Observed {
  const samples = parseExposition(`${metrics}\n${healthyMetrics}`);
  // The fault's samples come first and replace the healthy values.
  const seen = new Set<string>();
  const after = samples.filter((s) => {
    const key = s.name + JSON.stringify(s.labels);
    return seen.has(key) ? false : seen.add(key);
  });
  return {
    address: 'retail/checkout-1',
    config: {
      workload: { name: 'checkout', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 4191 },
      accessLog: 'stdout',
      ...config,
    },
    before: after,
    after,
    seconds: 0,
  };
}

const service = (name: string, rest: object = {}): AnyObject =>
  object('Service', name, { spec: { ports: [{ port: 80 }], selector: { app: name }, ...rest } });
const slice = (name: string): AnyObject =>
  object(
    'EndpointSlice',
    name,
    { endpoints: [{ addresses: ['1.1.1.1'] }] },
    { labels: { 'kubernetes.io/service-name': name } },
  );
const split = (...weights: [string, number][]): AnyObject =>
  object('TrafficSplit', 'canary', {
    spec: { service: 'cart', backends: weights.map(([s, weight]) => ({ service: s, weight })) },
  });
const networkPolicy = (spec: object): AnyObject =>
  object('NetworkPolicy', 'np', { spec: { podSelector: {}, ...spec } });
const guard = networkPolicy({
  ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 4191 }] }, { ports: [{ port: 8080 }] }],
});
const rule = (expr: string, more: object = {}): AnyObject =>
  object('PrometheusRule', 'r', {
    spec: { groups: [{ rules: [{ alert: 'A', expr, labels: { severity: 'page' }, ...more }] }] },
  });
const authorization = (from: object): AnyObject =>
  object('AuthorizationPolicy', 'a', {
    spec: { targetRef: { kind: 'Server', name: 's' }, from: [from] },
  });
const servers = (name: string): object => ({ state: { destinations: [], servers: [{ name }] } });

async function webhookSecret(atMs: number): Promise<AnyObject> {
  const { certificate } = await makeServingCertificate(
    { dnsNames: ['x'], lifetimeMs: 7 * dayMs },
    atMs,
  );
  const data = { 'tls.crt': Buffer.from(certificate).toString('base64') };
  return object('Secret', 'firedrill-webhook-tls', { data }, { namespace: 'firedrill' });
}

async function healthy(): Promise<Facts> {
  return {
    nowMs,
    proxies: [proxy()],
    objects: [
      object('Namespace', 'retail', {}, { annotations: enabled, namespace: undefined }),
      object('ServiceAccount', 'checkout'),
      pod(),
      service('cart'),
      service('cart-v2'),
      slice('cart'),
      slice('cart-v2'),
      split(['cart', 90], ['cart-v2', 10]),
      object('ServiceProfile', 'cart.retail.svc.cluster.local', { spec: {} }),
      guard,
      authorization({ serviceAccount: 'checkout' }),
      rule('histogram_quantile(0.95, sum by (le) (rate(x[5m]))) > 1', { for: '5m' }),
      object('', 'am', { route: { group_by: ['service', 'region'] }, receivers: [] }),
      object('', 'slo', { service: 'cart', owner: 'team-cart', slos: [] }),
      object('', 'prometheus', {
        scrape_configs: [
          { job_name: 'mesh', metric_relabel_configs: [{ action: 'labeldrop', regex: 'pod_.*' }] },
        ],
      }),
      await webhookSecret(nowMs - dayMs),
    ],
  };
}

/** A fault: objects to add (or to replace by name and kind), or proxies instead of the healthy one. */
type Fault = {
  add?: AnyObject[];
  proxies?: Observed[];
  drop?: (o: AnyObject) => boolean;
  other?: AnyObject[];
};

const faults: Record<string, (() => Fault | Promise<Fault>)[]> = {
  'aggressive-retries': [
    () => ({ proxies: [proxy('outbound_http_route_retry_requests_total{rt_route="add"} 60')] }),
    () => ({
      proxies: [
        proxy('', {
          state: {
            destinations: [{ name: 'cart.retail', routes: [{ name: 'add', retry: { limit: 3 } }] }],
            servers: [],
          },
        }),
      ],
    }),
  ],
  'new-version-gets-no-traffic': [
    () => ({ add: [split(['cart', 90], ['cart-v3', 10])] }),
    () => ({ add: [split(['cart', 90], ['cart-v2', 0])] }),
    () => ({ drop: (o) => o.kind === 'EndpointSlice' && o.metadata.name === 'cart-v2' }),
  ],
  'slow-canary': [() => ({ add: [split(['cart', 999], ['cart-v2', 1])] })],
  'profile-missing-or-outdated': [
    () => ({ add: [object('ServiceProfile', 'gone.retail.svc.cluster.local')] }),
    () => ({ proxies: [proxy('route_mismatch_total{direction="outbound"} 40')] }),
  ],
  'dns-errors': [
    () => ({
      proxies: [proxy('outbound_http_errors_total{error="unknown_destination"} 4')],
    }),
    () => ({ add: [service('legacy', { type: 'ExternalName', externalName: '10.1.2.3' })] }),
  ],
  'high-proxy-cpu': [() => ({ proxies: [proxy('process_cpu_seconds_total 3400')] })],
  'metrics-missing-after-relabel': [
    () => ({
      add: [
        object('', 'p', {
          scrape_configs: [
            {
              metric_relabel_configs: [
                { action: 'drop', source_labels: ['__name__'], regex: 'response_.*' },
              ],
            },
          ],
        }),
      ],
    }),
    // Prometheus knows actions in capitals, and RE2's syntax.
    () => ({
      add: [
        object('PodMonitor', 'm', {
          spec: {
            podMetricsEndpoints: [
              { port: 'fd-admin', metricRelabelings: [{ action: 'LabelDrop', regex: '(?i)DST' }] },
            ],
          },
        }),
      ],
    }),
    () => ({
      add: [
        object('PodMonitor', 'm', {
          spec: {
            podMetricsEndpoints: [
              { metricRelabelings: [{ action: 'labeldrop', regex: 'dst|route' }] },
            ],
          },
        }),
      ],
    }),
  ],
  'traces-lost-over-queues': [() => ({ add: [service('kafka', { ports: [{ port: 9092 }] })] })],
  'unbounded-labels': [
    () => ({
      proxies: [
        proxy(
          Array.from({ length: 150 }, (_, i) => `request_total{rt_route="/user/${i}"} 1`).join(
            '\n',
          ),
        ),
      ],
    }),
  ],
  'logs-without-trace-ids': [
    () => ({
      proxies: [proxy('', { accessLog: 'off', tracing: { otlpUrl: 'x', sampleRatio: 0.01 } })],
    }),
  ],
  'telemetry-gaps-at-peak': [() => ({ proxies: [proxy('trace_spans_dropped_total 7')] })],
  'excessive-trace-sampling': [
    () => ({ proxies: [proxy('', { tracing: { otlpUrl: 'x', sampleRatio: 1 } })] }),
    () => ({ add: [pod({ 'mesh.firedrill.dev/trace-sampling': '0.5' })] }),
  ],
  'slow-config-propagation': [
    () => ({ proxies: [proxy('control_rejected_updates_total 2')] }),
    () => ({
      proxies: [proxy(`control_connected 0\ncontrol_last_contact_timestamp_seconds ${now - 90}`)],
    }),
  ],
  'certificates-expire-early': [
    () => ({ proxies: [proxy(`identity_cert_expiration_timestamp_seconds ${now + 60}`)] }),
    () => ({ proxies: [proxy(`identity_cert_not_before_timestamp_seconds ${now + 300}`)] }),
  ],
  'injection-skipped': [
    () => ({ add: [plainPod({ hostNetwork: true })] }),
    () => ({ add: [plainPod({}, { annotations: { 'mesh.firedrill.dev/inject': 'true' } })] }),
    () => ({ add: [plainPod({}, { labels: enabled })] }),
    () => ({ add: [plainPod()] }),
  ],
  'webhook-certificate-expired': [async () => ({ add: [await webhookSecret(nowMs - 8 * dayMs)] })],
  'drift-between-clusters': [
    () => ({ proxies: [proxy('', servers('a')), proxy('', servers('b'))] }),
    () => ({ other: [split(['cart', 50], ['cart-v2', 50])] }),
  ],
  'proxy-restarts-on-drain': [
    () => ({
      add: [
        pod({ 'mesh.firedrill.dev/drain-seconds': '60' }, { terminationGracePeriodSeconds: 20 }),
      ],
    }),
    ...['containerStatuses', 'initContainerStatuses'].map((statuses) => () => {
      const killed = {
        name: 'firedrill-proxy',
        restartCount: 3,
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      };
      return { add: [{ ...pod(), status: { [statuses]: [killed] } }] };
    }),
  ],
  'network-policy-blocks-proxy': [
    () => ({ add: [networkPolicy({ ingress: [{ ports: [{ port: 8080 }] }] })] }),
    () => ({
      add: [networkPolicy({ policyTypes: ['Egress'], egress: [{ ports: [{ port: 53 }] }] })],
    }),
  ],
  'pager-floods-in-deploys': [
    () => ({ add: [object('', 'am', { route: { group_by: ['pod'] }, receivers: [] })] }),
    () => ({ add: [rule('up == 0')] }),
  ],
  'median-in-alert': [
    () => ({ add: [rule('histogram_quantile(0.5, rate(x[5m])) > 1', { for: '5m' })] }),
  ],
  'slo-without-owner': [() => ({ add: [object('', 'slo', { service: 'cart', slos: [] })] })],
  'unrestricted-tap': [
    () => ({ add: binding('system:authenticated', ['pods/portforward']) }),
    () => ({ add: binding('system:serviceaccounts:ci', ['*/exec']) }),
    () => ({ proxies: [{ ...proxy(), address: '10.0.0.1:4191' }] }),
  ],
  'rbac-between-namespaces': [
    () => ({ add: [authorization({ serviceAccount: 'checkout', namespace: 'ops' })] }),
    () => ({ add: [authorization({ serviceAccount: 'payment' })] }),
  ],
  'capacity-without-proxy': [
    () => ({
      add: [
        object('HorizontalPodAutoscaler', 'cart', {
          spec: {
            scaleTargetRef: { kind: 'Pod', name: 'cart-1' },
            metrics: [{ type: 'Resource' }],
          },
        }),
      ],
    }),
  ],
};

function binding(group: string, resources: string[]): AnyObject[] {
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'helpful' };
  return [
    object('ClusterRole', 'helpful', {
      rules: [{ apiGroups: [''], resources, verbs: ['create'] }],
    }),
    object('ClusterRoleBinding', 'all', { roleRef, subjects: [{ kind: 'Group', name: group }] }),
  ];
}

test('rights of a few, or to something else, are no open tap', async () => {
  for (const add of [
    binding('on-call', ['pods/portforward']),
    binding('system:authenticated', ['pods']),
  ])
    expect(diagnose(await make({ add }), ['unrestricted-tap'])).toEqual([]);
});

const job = (more: object): AnyObject =>
  object('', 'p', {
    scrape_configs: [
      {
        ...more,
        metric_relabel_configs: [{ action: 'keep', source_labels: ['__name__'], regex: 'node_.*' }],
      },
    ],
  });
const closed = (name: string, spec: object): AnyObject =>
  object('NetworkPolicy', name, { spec: { podSelector: {}, ...spec } });
const others: Record<string, () => Fault> = {
  'policies add up': () => ({
    add: [
      closed('deny-all', { policyTypes: ['Ingress', 'Egress'] }),
      closed('dns', {
        policyTypes: ['Egress'],
        egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }],
      }),
      closed('mesh', {
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ ports: [{ port: 'fd-admin' }] }],
        egress: [{ ports: [{ port: 8000, endPort: 9000 }] }],
      }),
    ],
    drop: (o) => o.kind === 'NetworkPolicy',
  }),
  'a policy of other pods': () => ({
    add: [
      closed('others', {
        podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['cart'] }] },
        ingress: [{ ports: [{ port: 8080 }] }],
      }),
    ],
    drop: (o) => o.kind === 'NetworkPolicy',
  }),
  'rules without ports open all': () => ({
    add: [closed('open', { ingress: [{ ports: [] }] })],
    drop: (o) => o.kind === 'NetworkPolicy',
  }),
  'an autoscaler of pods without a proxy': () => ({
    add: [
      object('HorizontalPodAutoscaler', 'x', {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'x' },
          metrics: [{ type: 'Resource' }],
        },
      }),
    ],
  }),
  'a scrape of nodes': () => ({ add: [job({ kubernetes_sd_configs: [{ role: 'node' }] })] }),
  'a scrape of fixed targets': () => ({
    add: [job({ static_configs: [{ targets: ['db:9100'] }] })],
  }),
  'a PodMonitor of something else': () => ({
    add: [
      object('PodMonitor', 'm', {
        spec: {
          podMetricsEndpoints: [
            { port: 'http', metricRelabelings: [{ action: 'labeldrop', regex: 'dst' }] },
          ],
        },
      }),
    ],
  }),
  'a backend in another namespace, and one that is no Service': () => ({
    add: [
      object('Service', 'far', {}, { namespace: 'ops' }),
      object(
        'EndpointSlice',
        'far',
        { endpoints: [{}] },
        { namespace: 'ops', labels: { 'kubernetes.io/service-name': 'far' } },
      ),
      object('HTTPRoute', 'r', {
        spec: {
          rules: [
            {
              backendRefs: [
                { name: 'far', namespace: 'ops' },
                { kind: 'InferencePool', name: 'llm' },
              ],
            },
          ],
        },
      }),
    ],
  }),
  // A file has no Namespace and no ServiceAccount; nor has a user without the right to list them.
  'absence where nothing of the kind was seen': () => ({
    drop: (o) => ['Namespace', 'ServiceAccount', 'Service', 'EndpointSlice'].includes(o.kind),
    add: [authorization({ serviceAccount: 'payment', namespace: 'ops' })],
  }),
  'fields of other types than they should have': () => ({
    add: [
      object('Service', 'odd', { spec: { ports: 'x' } }),
      object('Pod', 'odd'),
      object('HTTPRoute', 'odd', { spec: { rules: [null, 1, { backendRefs: {} }] } }),
      object('ClusterRoleBinding', 'odd'),
      object('', 'odd', { groups: [null, { rules: 5 }], scrape_configs: [null] }),
    ],
  }),
};

test.each(Object.entries(others))('nothing is found of %s', async (_what, fault) => {
  expect(diagnose(await make(fault()))).toEqual([]);
});

async function make(fault: Fault): Promise<Facts> {
  const base = await healthy();
  const same = (a: AnyObject, b: AnyObject): boolean =>
    a.kind === b.kind && a.metadata.name === b.metadata.name;
  const kept = base.objects.filter((o) => !fault.drop?.(o) && !fault.add?.some((a) => same(a, o)));
  return {
    nowMs,
    objects: [...kept, ...(fault.add ?? [])],
    proxies: fault.proxies ?? base.proxies,
    ...(fault.other
      ? { other: [...kept.filter((o) => o.kind !== 'TrafficSplit'), ...fault.other] }
      : {}),
  };
}

test('there are 25 entries, each with a fault to find', () => {
  expect(entries).toHaveLength(25);
  expect(Object.keys(faults).sort()).toEqual(entries.map((e) => e.id).sort());
});

test('a healthy mesh has nothing to find', async () => {
  expect(diagnose(await healthy())).toEqual([]);
});

describe.each(entries.map((e) => e.id))('%s', (id) => {
  test.each((faults[id] ?? []).map((make, i) => [i + 1, make] as const))(
    'fault %i',
    async (_i, fault) => {
      const found = diagnose(await make(await fault()), [id]);
      expect(found.length).toBeGreaterThan(0);
      for (const f of found)
        expect([f.where, f.cause, f.fix].every((text) => text.length > 3)).toBe(true);
    },
  );
});
