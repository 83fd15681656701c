/** `firedrill gameday faults`: lists every kind with its possible targets in the present system. */
import { expect, test, vi } from 'vitest';
import { asset } from '../../base/paths.js';
import { faultKindNames } from '../../chaos/faults/kinds.js';
import { listFaults } from '../../chaos/faults/list-command.js';
import { whyNoNetwork } from '../../chaos/system/processes/network.js';

interface Row {
  kind: string;
  settings: string[];
  targets?: string[];
  ramp?: string;
  impossible?: string;
}

async function said(drill: string, format: string): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await listFaults({ drill: asset(`examples/systems/${drill}/firedrill.yaml`), format });
    return write.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    write.mockRestore();
  }
}

test('each kind once, its settings, and the targets of podinfo', async () => {
  const { system, faults } = JSON.parse(await said('podinfo', 'json')) as {
    system: string;
    faults: Row[];
  };
  const row = (kind: string): Row => faults.find((f) => f.kind === kind)!;
  expect(system).toBe('podinfo');
  expect(faults.map((f) => f.kind)).toEqual(faultKindNames);
  expect(row('latency')).toMatchObject({
    settings: ['ratio?', 'seed?', 'latencyMs', 'jitterMs?'],
    ramp: 'latencyMs',
    targets: expect.arrayContaining(['front/middle', 'front/redis', 'redis']) as string[],
  });
  expect(row('half-open').targets).toEqual(['front/redis', 'redis']);
  expect(row('split').targets).toEqual(['front|middle', 'middle|back', 'front|redis']);
  expect(row('disk-full').targets).toEqual([]);
  // Only the services of a supervisor can hold these.
  expect(row('slow-service').impossible).toContain('a supervisor');
});

test('as a table, what cannot be done is told with its reason', async () => {
  const text = await said('two-services', 'text');
  expect(text).toMatch(/^dns-slow .*cannot: no service looks up a name in a network of its own/m);
  expect(text).toMatch(/^slow-service .*cannot: only a supervisor/m);
  expect(text).toMatch(/^half-open .*nothing takes it/m);
  expect(text).toMatch(/^split .*front\|back/m);
});

test.runIf(whyNoNetwork() === undefined)(
  'faults of DNS are for services with their own network',
  async () => {
    const { faults } = JSON.parse(await said('hard-coded', 'json')) as { faults: Row[] };
    const row = faults.find((f) => f.kind === 'dns-fails')!;
    expect(row).toMatchObject({ settings: ['answer?', 'name?', 'ratio?', 'seed?'], ramp: 'ratio' });
    expect(row.targets).toEqual(['front']);
  },
);
