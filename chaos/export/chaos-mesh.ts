/**
 * A scenario as a Chaos Mesh Workflow (chaos-mesh.org/v1alpha1): baseline, then every fault in parallel, each from its
 * start to its stop. Faults that only a mesh can inject (a frozen issuer, a changed policy) have no counterpart in
 * Chaos Mesh, and none of its objects can hold the expected alerts; the export lists both.
 */
import { stringify } from 'yaml';
import { formatDurationMs } from '../../base/duration.js';
import type { FaultKindName } from '../faults/kinds.js';
import type { Scenario, ScenarioFault } from '../scenarios/schema.js';

export interface ChaosMeshOptions {
  /** The namespace of the workloads. */
  namespace: string;
  /** The namespace of the controller. */
  controlNamespace: string;
}

export interface ChaosMeshExport {
  yaml: string;
  /** One sentence for each part of the scenario that Chaos Mesh cannot express. */
  left: string[];
}

interface Part {
  templateType: string;
  /** The template's field that holds `body`. */
  field: string;
  body: Record<string, unknown>;
  /** The difference from our own fault. */
  note?: string;
}

const labelOf = 'app';

/** A duration in Go's syntax, which Chaos Mesh's admission reads; the syntax has no days. */
const durationText = (ms: number): string =>
  formatDurationMs(ms).replace(/^(\d+)d(?:(\d+)h)?/, (_, days: string, hours = '0') => {
    return `${24 * Number(days) + Number(hours)}h`;
  });

const pods = (namespace: string, app: string): Record<string, unknown> => ({
  namespaces: [namespace],
  labelSelectors: { [labelOf]: app },
});

type Convert = (fault: ScenarioFault, options: ChaosMeshOptions) => Part | undefined;

const podOf = (process: string): string => process.replace(/-proxy$/, '');

/** The service of a process, a workload or, for a call (`front/back`), of its callee: the label of its pods. */
const serviceOf = (target: string): string =>
  podOf(target.replace(/^.*\//, '')).replace(/-\d+$/, '');

const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const milliseconds = (value: unknown): string => `${number(value)}ms`;

const all = (selector: Record<string, unknown>): Record<string, unknown> => ({
  mode: 'all',
  selector,
});

const shareOf = (ratio: unknown): object =>
  typeof ratio === 'number' && ratio < 1
    ? { mode: 'fixed-percent', value: String(Math.max(1, Math.round(100 * ratio))) }
    : { mode: 'all' };

const network = (fault: ScenarioFault, options: ChaosMeshOptions, body: object): Part => {
  if (fault.target.includes('/')) return onCall(fault, options, body);
  const { side, destination } = fault.settings;
  const own = pods(options.namespace, serviceOf(fault.target));
  const to = typeof destination === 'string' ? destination.split('.')[0] : undefined;
  const outbound = side === 'outbound' || to !== undefined;
  // Chaos Mesh's admission refuses `from` and `both` without a target, so incoming traffic is faulted at its senders.
  const ends = outbound
    ? { selector: own, ...(to !== undefined && { target: all(pods(options.namespace, to)) }) }
    : { selector: { namespaces: [options.namespace] }, target: all(own) };
  return {
    templateType: 'NetworkChaos',
    field: 'networkChaos',
    body: { mode: 'all', direction: 'to', ...ends, ...body },
    note: 'for packets, not for requests of one route',
  };
};

/** A partition between all workloads and the controller. */
const partition = (options: ChaosMeshOptions, note: string): Part => ({
  templateType: 'NetworkChaos',
  field: 'networkChaos',
  body: {
    action: 'partition',
    mode: 'all',
    selector: pods(options.controlNamespace, 'firedrill-controller'),
    direction: 'both',
    target: { mode: 'all', selector: { namespaces: [options.namespace] } },
  },
  note,
});

/** A fault on calls: `front/back` means the calls of front to back; a name alone, all calls to it in the namespace. */
function onCall(fault: ScenarioFault, options: ChaosMeshOptions, body: object): Part {
  const [, from] = /^(.+)\//.exec(fault.target) ?? [];
  return {
    templateType: 'NetworkChaos',
    field: 'networkChaos',
    body: {
      mode: 'all',
      direction: 'to',
      selector:
        from === undefined ? { namespaces: [options.namespace] } : pods(options.namespace, from),
      target: all(pods(options.namespace, serviceOf(fault.target))),
      ...body,
    },
    note: 'between pods that are called as the call is',
  };
}
const cutOff = (fault: ScenarioFault, options: ChaosMeshOptions): Part =>
  onCall(fault, options, { action: 'partition' });

const http = (fault: ScenarioFault, options: ChaosMeshOptions, body: object): Part => {
  const { method, pathPrefix, ratio } = fault.settings;
  return {
    templateType: 'HTTPChaos',
    field: 'httpChaos',
    body: {
      // HTTPChaos affects all requests of a pod, so a share of requests becomes a share of pods.
      ...shareOf(ratio),
      selector: pods(options.namespace, serviceOf(fault.target)),
      target: 'Request',
      port: 8080,
      path: typeof pathPrefix === 'string' ? `${pathPrefix}*` : '*',
      ...(method !== undefined && { method }),
      ...body,
    },
    note:
      'set the port to that of the service; connections that are already open are not struck' +
      (fault.target.includes('/') ? '; every caller is struck' : ''),
  };
};

/** The pods of a service or of one of its processes; a share of answers becomes a share of pods. */
const askers = ({ target, settings }: ScenarioFault, options: ChaosMeshOptions): object => ({
  ...shareOf(settings.ratio),
  selector: pods(options.namespace, serviceOf(target)),
});

const dns = (fault: ScenarioFault, options: ChaosMeshOptions, action: string, note: string) => ({
  templateType: 'DNSChaos',
  field: 'dnsChaos',
  body: {
    action,
    ...askers(fault, options),
    ...(typeof fault.settings.name === 'string' && { patterns: [fault.settings.name] }),
  },
  note: `${note}; Chaos Mesh needs its own DNS server (dnsServer.create)`,
});

const bandwidthOf = ({ settings }: ScenarioFault): object => {
  const rate = `${Math.max(1, Math.round(number(settings.bytesPerSecond) / 1000))}kbps`;
  return { action: 'bandwidth', bandwidth: { rate, limit: 20_971_520, buffer: 10_000 } };
};

const converters: Partial<Record<FaultKindName, Convert>> = {
  kill: (fault, options) => ({
    templateType: 'PodChaos',
    field: 'podChaos',
    body: {
      // pod-failure keeps the pod away until the end, as our lease does; after pod-kill the pod would return at once.
      action: 'pod-failure',
      mode: 'one',
      selector:
        fault.target === 'controller'
          ? pods(options.controlNamespace, 'firedrill-controller')
          : pods(options.namespace, serviceOf(fault.target)),
    },
    note: 'a whole pod, not one process of it',
  }),
  delay: (fault, options) => {
    const { delayMs, delayJitterMs } = fault.settings;
    const delay = { latency: milliseconds(delayMs), jitter: milliseconds(delayJitterMs) };
    return network(fault, options, { action: 'delay', delay });
  },
  throttle: (fault, options) => network(fault, options, bandwidthOf(fault)),
  latency: (fault, options) => {
    const { latencyMs, jitterMs } = fault.settings;
    const delay = { latency: milliseconds(latencyMs), jitter: milliseconds(jitterMs) };
    return onCall(fault, options, { action: 'delay', delay });
  },
  bandwidth: (fault, options) => onCall(fault, options, bandwidthOf(fault)),
  refuse: cutOff,
  cut: cutOff,
  silence: cutOff,
  partition: cutOff,
  loss: (fault, options) => {
    const loss = String(100 * number(fault.settings.lossRatio));
    return onCall(fault, options, { action: 'loss', loss: { loss, correlation: '0' } });
  },
  split: (fault, options) => {
    const target = fault.target.replace('|', '/');
    return onCall({ ...fault, target }, options, { action: 'partition', direction: 'both' });
  },
  blackhole: (fault, options) =>
    network(fault, options, { action: 'loss', loss: { loss: '100', correlation: '0' } }),
  abort: (fault, options) =>
    http(fault, options, {
      target: 'Response',
      replace: { code: number(fault.settings.abortStatus) },
    }),
  reset: (fault, options) => http(fault, options, { abort: true }),
  'failing-service': (fault, options) =>
    http({ ...fault, settings: { ratio: fault.settings.failureRatio } }, options, {
      target: 'Response',
      replace: { code: 503 },
    }),
  'slow-service': (fault, options) =>
    http({ ...fault, settings: {} }, options, { delay: milliseconds(fault.settings.latencyMs) }),
  'dns-fails': (fault, options) => {
    const { answer } = fault.settings;
    // An answer without an address, or none at all, is no error.
    if (answer === 'empty' || answer === 'none') return undefined;
    return dns(fault, options, 'error', `an error, not always ${String(answer)}`);
  },
  'dns-wrong': (fault, options) =>
    dns(fault, options, 'random', `a random address, not ${String(fault.settings.address)}`),
  'dns-slow': (fault, options) => ({
    templateType: 'NetworkChaos',
    field: 'networkChaos',
    body: {
      action: 'delay',
      ...askers(fault, options),
      direction: 'to',
      target: all({ namespaces: ['kube-system'], labelSelectors: { 'k8s-app': 'kube-dns' } }),
      delay: { latency: milliseconds(fault.settings.latencyMs), jitter: '0ms' },
    },
    note: 'for every name, between the pods and kube-dns',
  }),
  ballast: (fault, options) => ({
    templateType: 'StressChaos',
    field: 'stressChaos',
    body: {
      mode: 'all',
      selector: pods(options.namespace, serviceOf(fault.target)),
      stressors: {
        memory: {
          workers: 1,
          size: `${Math.ceil(number(fault.settings.ballastBytes) / 1048576)}MB`,
        },
      },
    },
  }),
  'identity-skew': (fault, options) => ({
    templateType: 'TimeChaos',
    field: 'timeChaos',
    body: {
      mode: 'all',
      selector: pods(options.controlNamespace, 'firedrill-controller'),
      timeOffset: milliseconds(fault.settings.skewMs),
    },
  }),
  'stream-refuse': (_, options) => partition(options, 'also keeps certificates from being renewed'),
  'identity-freeze': (_, options) =>
    partition(options, 'cuts the whole controller off, not its issuer alone'),
};

function noCounterpart({ id, kind, settings: { answer } }: ScenarioFault): string {
  const how = typeof answer === 'string' ? ` (answer: ${answer})` : '';
  return `${id}: ${kind}${how} has no counterpart in Chaos Mesh`;
}

function differences({ ramp, settings: { ratio } }: ScenarioFault, part: Part): string[] {
  const isWhole = part.templateType === 'NetworkChaos' && typeof ratio === 'number' && ratio < 1;
  return [
    ...(part.note === undefined ? [] : [part.note]),
    ...(isWhole ? [`everything is struck, not a share of ${ratio}`] : []),
    ...(ramp === undefined ? [] : ['it is there at once, and does not grow']),
  ];
}

export function chaosMeshWorkflow(scenario: Scenario, options: ChaosMeshOptions): ChaosMeshExport {
  const left: string[] = [];
  const templates: Record<string, unknown>[] = [];
  const roots: string[] = [];
  const wholeMs = scenario.arms?.triggerFor ?? scenario.fault?.atMost ?? 0;
  const faults = scenario.arms ? scenario.arms.trigger : scenario.faults;
  for (const run of scenario.arms?.runs ?? []) {
    for (const fault of run.faults) {
      left.push(`${fault.id} (arm '${run.name}'): ${fault.kind} is a change of the mesh's policy`);
    }
  }
  const notes = scenario.abort.length === 0 ? [] : ['Its abort conditions stop nothing here.'];
  const seen = new Set<string>();
  for (const fault of faults) {
    // A service and its sidecar are one pod in Chaos Mesh.
    const pod = `${fault.kind} ${podOf(fault.target)} ${fault.start} ${fault.stop}`;
    if (fault.kind === 'kill' && seen.has(pod)) {
      notes.push(`${fault.id}: the same pod as above`);
      continue;
    }
    seen.add(pod);
    const part = converters[fault.kind]?.(fault, options);
    if (!part) {
      left.push(noCounterpart(fault));
      continue;
    }
    notes.push(...differences(fault, part).map((text) => `${fault.id}: ${text}`));
    const lengthMs = (fault.stop ?? wholeMs) - fault.start;
    const chaos = {
      name: fault.id,
      templateType: part.templateType,
      deadline: durationText(lengthMs),
      [part.field]: part.body,
    };
    if (fault.start === 0) {
      roots.push(fault.id);
      templates.push(chaos);
      continue;
    }
    roots.push(`after-${fault.id}`);
    templates.push(
      {
        name: `after-${fault.id}`,
        templateType: 'Serial',
        deadline: durationText(wholeMs + 60_000),
        children: [`wait-for-${fault.id}`, fault.id],
      },
      suspend(`wait-for-${fault.id}`, fault.start),
      chaos,
    );
  }
  if (roots.length === 0) return { yaml: '', left };
  const totalMs = scenario.baseline + wholeMs + 120_000;
  const workflow = {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'Workflow',
    metadata: {
      name: scenario.id,
      namespace: options.namespace,
      annotations: {
        'firedrill.dev/title': scenario.title,
        'firedrill.dev/blast-radius': scenario.blastRadius,
        'firedrill.dev/must-fire': scenario.expect.mustFire
          .map((e) => `${e.alert} (${e.severity}) within ${formatDurationMs(e.within)}`)
          .join(', '),
      },
    },
    spec: {
      entry: 'drill',
      templates: [
        {
          name: 'drill',
          templateType: 'Serial',
          deadline: durationText(totalMs),
          children: ['baseline', 'faults'],
        },
        suspend('baseline', scenario.baseline),
        {
          name: 'faults',
          templateType: 'Parallel',
          deadline: durationText(wholeMs + 60_000),
          children: roots,
        },
        ...templates,
      ],
    },
  };
  const comments = [
    `${scenario.title}.`,
    'Made by firedrill gameday export; durations are in production time.',
    'Chaos Mesh breaks and undoes; whether the right alert fires in time is judged by Firedrill.',
    ...notes,
    ...left.map((text) => `NOT HERE: ${text}`),
  ];
  const head = comments.map((text) => `# ${text.replaceAll('\n', ' ')}\n`).join('');
  return { yaml: head + stringify(workflow, { lineWidth: 100 }), left };
}

const suspend = (name: string, ms: number): Record<string, unknown> => ({
  name,
  templateType: 'Suspend',
  deadline: durationText(Math.max(1000, ms)),
});
