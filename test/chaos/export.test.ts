/**
 * Scenarios as Chaos Mesh objects: every fault is present or named as missing, and every reference has its template.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { asset } from '../../base/paths.js';
import { chaosMeshWorkflow } from '../../chaos/export/chaos-mesh.js';
import { ownScenarios, readScenarios, readScenarioText } from '../../chaos/scenarios/read.js';
import { drillFolder, firedrill } from './drill.js';

interface Template {
  name: string;
  templateType: string;
  deadline: string;
  children?: string[];
  [field: string]: unknown;
}

interface Workflow {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations: Record<string, string> };
  spec: { entry: string; templates: Template[] };
}

const options = { namespace: 'retail', controlNamespace: 'firedrill' };
const workflowOf = (yaml: string): Workflow => parse(yaml) as Workflow;

test.each(readScenarios(ownScenarios()))(
  'X6: $scenario.id is whole or says what it lacks',
  (read) => {
    const { scenario } = read;
    const { yaml, left } = chaosMeshWorkflow(scenario, options);
    const faults = scenario.arms ? scenario.arms.trigger : scenario.faults;
    if (yaml === '') {
      expect(left).toHaveLength(faults.length);
      return;
    }
    for (const text of left) expect(yaml).toContain(`# NOT HERE: ${text}`);
    const { apiVersion, kind, spec } = workflowOf(yaml);
    expect([apiVersion, kind]).toEqual(['chaos-mesh.org/v1alpha1', 'Workflow']);
    const names = spec.templates.map((t) => t.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain(spec.entry);
    for (const template of spec.templates) {
      expect(names).toEqual(expect.arrayContaining(template.children ?? []));
      const field = template.templateType[0]!.toLowerCase() + template.templateType.slice(1);
      const body = field === 'podChaos' || field.endsWith('Chaos') ? fieldOf(template) : {};
      expect([template.name, body]).not.toEqual([template.name, undefined]);
    }
  },
);

/** `NetworkChaos` has its body in `networkChaos`, `HTTPChaos` in `httpChaos`. */
const fieldOf = (template: Template): unknown => {
  const wanted = template.templateType.toLowerCase();
  return Object.entries(template).find(([name]) => name.toLowerCase() === wanted)?.[1];
};

const scenarioWith = (faults: string): Workflow => workflowOf(exportOf(faults).yaml);

const exportOf = (faults: string): ReturnType<typeof chaosMeshWorkflow> => {
  const text = `apiVersion: firedrill.dev/v1
kind: Scenario
id: s
title: S
description: S
blastRadius: cart
runbook: s
baseline: 5m
hypothesis: { title: well, measures: [{ name: errors, client: errorRatio, atMost: 0.01 }] }
faults:
${faults}
fault: { atMost: 10m }
recovery: 10m
expect: {}
abort: [{ name: down, client: errorRatio, above: 0.5 }]
`;
  return chaosMeshWorkflow(readScenarioText('s.yaml', text).scenario, options);
};

test('names that fail or are wrong are DNSChaos, and slow ones a delay on the way to the DNS server', () => {
  const workflow = scenarioWith(
    `  - { id: gone, kind: dns-fails, target: front-1, settings: { name: stock.internal } }
  - { id: wrong, kind: dns-wrong, target: front, settings: { ratio: 0.25 } }
  - { id: slow, kind: dns-slow, target: front, settings: { latencyMs: 300 } }`,
  );
  const front = { selector: { namespaces: ['retail'], labelSelectors: { app: 'front' } } };
  expect(template(workflow, 'gone')).toMatchObject({
    templateType: 'DNSChaos',
    dnsChaos: { action: 'error', mode: 'all', ...front, patterns: ['stock.internal'] },
  });
  expect(template(workflow, 'wrong').dnsChaos).toEqual({
    action: 'random',
    mode: 'fixed-percent',
    value: '25',
    ...front,
  });
  expect(template(workflow, 'slow').networkChaos).toMatchObject({
    action: 'delay',
    ...front,
    target: { selector: { labelSelectors: { 'k8s-app': 'kube-dns' } } },
    delay: { latency: '300ms' },
  });
});

test.each(['empty', 'none'])('a name answered with %s is named as missing', (answer) => {
  const { yaml, left } = exportOf(
    `  - { id: gone, kind: dns-fails, target: front, settings: { answer: ${answer} } }`,
  );
  expect([yaml, left]).toEqual([
    '',
    [`gone: dns-fails (answer: ${answer}) has no counterpart in Chaos Mesh`],
  ]);
});

const template = (workflow: Workflow, name: string): Template =>
  workflow.spec.templates.find((t) => t.name === name)!;

test('a fault waits for its start, and lasts until its stop', () => {
  const workflow = scenarioWith(
    '  - { id: slow, kind: delay, target: cart, start: 2m, stop: 5m, settings: { delayMs: 130 } }',
  );
  expect(template(workflow, 'faults').children).toEqual(['after-slow']);
  expect(template(workflow, 'after-slow').children).toEqual(['wait-for-slow', 'slow']);
  expect(template(workflow, 'wait-for-slow')).toMatchObject({
    templateType: 'Suspend',
    deadline: '2m',
  });
  expect(template(workflow, 'slow')).toMatchObject({
    templateType: 'NetworkChaos',
    deadline: '3m',
    networkChaos: {
      action: 'delay',
      delay: { latency: '130ms', jitter: '0ms' },
      // Set at the callers: Chaos Mesh's admission refuses `from` without a target.
      direction: 'to',
      selector: { namespaces: ['retail'] },
      target: { mode: 'all', selector: { labelSelectors: { app: 'cart' } } },
    },
  });
});

test('calls are cut between their two ends, and a deadline of days is said in hours', () => {
  const workflow = scenarioWith(
    `  - { id: cut, kind: cut, target: web/cart }
  - { id: slow, kind: latency, target: cart, stop: 2d3h4m, settings: { latencyMs: 80 } }`,
  );
  expect(template(workflow, 'cut').networkChaos).toMatchObject({
    action: 'partition',
    selector: { labelSelectors: { app: 'web' } },
    target: { selector: { labelSelectors: { app: 'cart' } } },
  });
  expect(template(workflow, 'slow')).toMatchObject({
    deadline: '51h4m',
    networkChaos: {
      delay: { latency: '80ms' },
      target: { selector: { labelSelectors: { app: 'cart' } } },
    },
  });
});

test('targets are labels of pods, whatever names them; a difference is a comment', () => {
  const made = exportOf(
    `  - { id: call, kind: delay, target: web/cart, settings: { delayMs: 9, ratio: 0.5 } }
  - { id: one, kind: delay, target: cart-1, settings: { delayMs: 9 }, ramp: 2m }
  - { id: no, kind: abort, target: web/cart, settings: { abortStatus: 503 } }
  - { id: lost, kind: loss, target: web/cart, settings: { lossRatio: 0.25 } }
  - { id: apart, kind: split, target: web|cart }`,
  );
  const workflow = workflowOf(made.yaml);
  const cart = { selector: { labelSelectors: { app: 'cart' } } };
  const web = { selector: { labelSelectors: { app: 'web' } } };
  expect(template(workflow, 'call').networkChaos).toMatchObject({ ...web, target: cart });
  expect(template(workflow, 'one').networkChaos).toMatchObject({ target: cart });
  expect(template(workflow, 'no').httpChaos).toMatchObject(cart);
  const loss = { action: 'loss', loss: { loss: '25' }, ...web, target: cart };
  expect(template(workflow, 'lost').networkChaos).toMatchObject(loss);
  const apart = { action: 'partition', direction: 'both', ...web, target: cart };
  expect(template(workflow, 'apart').networkChaos).toMatchObject(apart);
  expect(made.left).toEqual([]);
  for (const text of [
    '# call: everything is struck, not a share of 0.5',
    '# one: it is there at once, and does not grow',
    '; every caller is struck',
    '# Its abort conditions stop nothing here.',
  ]) {
    expect(made.yaml).toContain(text);
  }
});

test('no network fault of ours is one that admission refuses', () => {
  for (const { scenario } of readScenarios(ownScenarios())) {
    const { yaml } = chaosMeshWorkflow(scenario, options);
    for (const { networkChaos } of yaml === '' ? [] : workflowOf(yaml).spec.templates) {
      const { direction, target } = (networkChaos ?? {}) as { direction?: string; target?: object };
      if (direction === undefined || direction === 'to') continue;
      expect([scenario.id, target]).not.toEqual([scenario.id, undefined]);
    }
  }
});

test('a call from one service to another names both; a share of requests is a share of pods', () => {
  const workflow = scenarioWith(
    `  - { id: net, kind: blackhole, target: web, settings: { side: outbound, destination: cart.retail } }
  - { id: some, kind: failing-service, target: cart, settings: { failureRatio: 0.25 } }`,
  );
  expect(template(workflow, 'net').networkChaos).toMatchObject({
    action: 'loss',
    direction: 'to',
    selector: { labelSelectors: { app: 'web' } },
    target: { selector: { labelSelectors: { app: 'cart' } } },
  });
  expect(template(workflow, 'some').httpChaos).toMatchObject({
    mode: 'fixed-percent',
    value: '25',
    target: 'Response',
    replace: { code: 503 },
  });
});

test('the command writes YAML to standard output, and fails where nothing could be said', async () => {
  const folder = drillFolder();
  const whole = await firedrill(folder, 'gameday', 'export', 'killed-pod', 'clock-skew').ended;
  expect([whole.code, whole.output.match(/^kind: Workflow$/gm)?.length]).toEqual([0, 2]);
  const none = await firedrill(folder, 'gameday', 'export', 'misrouting').ended;
  expect([none.code, none.output]).toEqual([
    1,
    'misrouting: wrong-profile: registry has no counterpart in Chaos Mesh\n',
  ]);
});

test('a target that the drill of the folder does not have is refused; without a drill that is said', async () => {
  const folder = drillFolder();
  cpSync(asset('examples/systems/two-services'), folder, { recursive: true });
  const file = 'scenarios/back-cut.yaml';
  const text = readFileSync(join(folder, file), 'utf8');
  writeFileSync(join(folder, file), text.replace('target: front/back', 'target: front/bakc'));
  const refused = await firedrill(folder, 'gameday', 'export', file).ended;
  expect([refused.code, refused.output]).toEqual([
    2,
    expect.stringContaining(
      "back-cut.yaml:14:35: cut has no target 'front/bakc': did you mean front/back?",
    ),
  ]);
  const foreign = await firedrill(folder, 'gameday', 'export', 'killed-pod').ended;
  expect([foreign.code, foreign.output]).toEqual([0, expect.not.stringContaining('not checked')]);
  rmSync(join(folder, 'firedrill.yaml'));
  const unchecked = await firedrill(folder, 'gameday', 'export', file).ended;
  expect([unchecked.code, unchecked.output]).toEqual([
    0,
    expect.stringContaining(`${file}: names of targets and alerts were not checked`),
  ]);
});

test('the name of a scenario that is nearly one of ours', async () => {
  const { code, output } = await firedrill(drillFolder(), 'gameday', 'export', 'retry-strom').ended;
  expect([code, output]).toEqual([
    2,
    expect.stringContaining("no scenario 'retry-strom': did you mean retry-storm?"),
  ]);
});
