/**
 * All that the flow decides, counts and reports, to the last figure, on simulated time with seeded lots: the cases of
 * front.cases.ts without their sockets, and longer stories. UPDATE=1 rewrites the golden files.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../../base/paths.js';
import { isReserved } from '../../../mesh/proxy/flow/reserved.js';
import { backend, destination, server, state } from './flow-bench.js';
import { policies } from './flow-policies.cases.js';
import { stories as traffic } from './flow-stories.cases.js';
import { type Told, Teller } from './flow-teller.js';
import { type Case, cases } from './front.cases.js';
import type { Answer, Sent } from './front-rig.js';

const stories = { ...traffic, ...policies };

const folder = join(packageRoot, 'test/mesh/proxy/stories');

function matchesGolden(name: string, text: string): void {
  const file = join(folder, `${name}.txt`);
  if (process.env.UPDATE === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

/** As the fronts show it to the flow: without the fields that are not passed on. */
function infoOf({ method = 'GET', path = '/', authority = 'cart.retail', headers = [] }: Sent) {
  const all = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  const own = all.filter(([name]) => name === 'connection').map(([, value]) => value);
  const dropped = own.flatMap((value) => value.toLowerCase().split(/[\s,]+/));
  const known = all.filter(([name]) => !isReserved(name) && !dropped.includes(name));
  return { method, path, authority, headers: Object.fromEntries(known) };
}

const toldOf = ({ status = 200, instead }: Answer): Told => {
  if (instead === undefined) return { status };
  return { fails: instead === 'reset' ? 'reset' : 'try-timeout' };
};

function toldCase(c: Case): string {
  const backends = [
    backend(c.also === 'refused' ? ['10.0.0.9:80', '10.0.0.1:80'] : ['10.0.0.1:80']),
  ];
  if (c.also === 'shadow') backends.push({ ...backend(['10.0.1.1:80']), name: 'shadow' });
  const teller = new Teller(
    state([destination(backends, c.routes ?? [])], [server(c.server ?? {})]),
  );
  for (const fault of c.faults ?? []) {
    teller.b.gateway.faults.put({ id: 'f', ttlMs: 60_000, ...fault });
  }
  let count = 0;
  const answer = (address: string): Told => {
    if (address === '10.0.0.9:80') return { fails: 'refused' };
    return toldOf(c.app?.({} as never, ++count) ?? {});
  };
  for (let i = 0; i < (c.times ?? 1); i++) {
    if (c.side === 'outbound') teller.outbound(infoOf(c.sent ?? {}), { answer });
    else teller.inbound(infoOf(c.sent ?? {}), { answer });
  }
  return teller.end(
    /^(?!telemetry|request_total|route_request|tap_|proxy_|.*(latency|balancer|_actual_))/,
  );
}

test.each(['inbound', 'outbound'] as const)('the cases of the fronts, %s', (side) => {
  const own = cases.filter((c) => c.side === side && !c.name.endsWith(', hedged'));
  matchesGolden(side, own.map((c) => `== ${c.name}\n${toldCase(c)}`).join('\n'));
});

test.each(Object.keys(stories))('%s', (name) => {
  const teller = stories[name]!();
  matchesGolden(name, teller.end());
});

test('each golden file has its story', () => {
  const names = ['inbound', 'outbound', ...Object.keys(stories)].map((name) => `${name}.txt`);
  expect(readdirSync(folder).sort()).toEqual(names.sort());
});
