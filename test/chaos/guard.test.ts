/** The guard of a firedrill.yaml: forbidden faults are refused before anything is touched, with their place. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { asset } from '../../base/paths.js';
import { type Strikable, struckBy } from '../../chaos/guard/blast-radius.js';
import { Guard } from '../../chaos/guard/guard.js';
import { type GuardSpec, guardSchema } from '../../chaos/guard/guard-schema.js';
import { readSloText } from '../../slo/index.js';
import { drillFolder, firedrill } from './drill.js';
import { smallDrill } from './small-drill.js';

/** The tests' settings for production. */
const production = {
  alerts: [] as { labels: Record<string, string> }[],
  bad: 0,
  url: '',
  query: '',
  token: undefined as string | undefined,
  measured: true,
};
const server = createServer((request, response) => {
  if (production.token !== undefined && request.headers.authorization !== production.token) {
    return response.writeHead(401).end();
  }
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    const path = request.url ?? '';
    if (path.startsWith('/api/v2/alerts')) {
      production.query = path;
      return response.end(JSON.stringify(production.alerts));
    }
    const query = new URLSearchParams(body).get('query') ?? '';
    const value = query.includes('bad') ? production.bad : 100_000;
    const isEmpty =
      path.endsWith('query_range') || (!production.measured && /last_over/.test(query));
    const result = isEmpty
      ? []
      : query.startsWith('ALERTS')
        ? production.alerts.map(({ labels }) => ({ metric: labels, value: [0, '1'] }))
        : [{ metric: {}, value: [0, String(value)] }];
    return response.end(JSON.stringify({ status: 'success', data: { result } }));
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  production.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const slos = readSloText('slo.yaml', readFileSync(`${systems()}/slos/front.yaml`, 'utf8'));
function systems(): string {
  return asset('examples/systems/two-services');
}

/** The guard on Wednesday, 2 December 2026, at 12:30 UTC. */
function guard(spec: Record<string, unknown>, lengthMs = 60_000): Guard {
  const drill = {
    guard: guardSchema.parse({ timeZone: 'UTC', ...spec }) as GuardSpec,
    name: 'orders',
    folder: '/',
    placeOf: (path: readonly string[]) => ({ file: path.join('.'), line: 3, column: 5 }),
    slos,
    lengthMs,
  };
  return new Guard(drill, new SimulatedClock(Date.parse('2026-12-02T12:30:00Z')));
}

const refusals = (spec: Record<string, unknown>, lengthMs?: number): Promise<string[]> =>
  guard(spec, lengthMs).refusals();

describe('hours and days', () => {
  test.each([
    [{ hours: '09:00-17:00' }, 60_000, []],
    [
      { hours: '09:00-12:00' },
      60_000,
      ['guard.hours:3:5: it is 12:30 in UTC, and drills are run from 09:00 to 12:00'],
    ],
    [{ hours: '22:00-04:00', timeZone: 'Asia/Tokyo' }, 60_000, ['guard.hours:3:5: it is 21:30']],
    [{ hours: '21:00-04:00', timeZone: 'Asia/Tokyo' }, 7_200_000, []],
    [
      { hours: '09:00-13:00' },
      1_860_000,
      ['guard.hours:3:5: it is 12:30 in UTC, and what takes up to 31 min is not over by 13:00'],
    ],
    [{ hours: '09:00-24:00', days: ['wed'] }, 60_000, []],
    [
      { days: ['mon', 'tue'] },
      60_000,
      ['guard.days:3:5: it is wed in UTC, and drills are run on mon, tue'],
    ],
    [{ days: ['wed'] }, 86_400_000, ['guard.days:3:5: it is wed in UTC']],
  ])('%j, for %i ms', async (spec, lengthMs, said) => {
    const found = await refusals(spec, lengthMs);
    expect(found).toHaveLength(said.length);
    said.forEach((text, i) => expect(found[i]).toContain(text));
  });
});

describe('incidents: a line that the command prints is one', () => {
  test.each([
    [['true'], undefined],
    [['echo', 'INC-7 checkout is down'], 'guard.incidents:3:5: open: INC-7 checkout is down'],
    [['false'], 'guard.incidents:3:5: it cannot be asked: exit code 1'],
    [['/nowhere/incidents'], 'it cannot be asked: spawn /nowhere/incidents ENOENT'],
  ])('%j', async (incidents, said) => {
    const found = await refusals({ incidents });
    if (said === undefined) expect(found).toEqual([]);
    else expect(found[0]).toContain(said);
  });
});

describe('production', () => {
  const page = { labels: { alertname: 'CheckoutDown', severity: 'page' } };
  const ticket = { labels: { alertname: 'DiskFills', severity: 'ticket' } };

  test.each(['alertmanager', 'prometheus'])('no drill while a page fires, by %s', async (which) => {
    const spec = { production: { [which]: production.url } };
    production.alerts = [ticket];
    expect(await refusals(spec)).toEqual([]);
    production.alerts = [ticket, page];
    expect(await refusals(spec)).toEqual(['guard.production:3:5: firing: CheckoutDown']);
    if (which === 'alertmanager') expect(production.query).toContain('silenced=false');
    expect(await refusals({ production: { ...spec.production, pages: 'allowed' } })).toEqual([]);
  });

  test('budget left, of each SLO', async () => {
    production.alerts = [];
    const spec = { production: { prometheus: production.url, budgetLeft: '20%' } };
    production.bad = 390;
    expect(await refusals(spec)).toEqual([]);
    production.bad = 450;
    expect(await refusals(spec)).toEqual([
      'guard.production.budgetLeft:3:5: front-availability has 10.00% of its budget left, and 20.0% are needed',
    ]);
    production.bad = 0;
    production.measured = false;
    expect(await refusals(spec)).toEqual([
      expect.stringContaining('nothing was measured in the last hour'),
    ]);
    production.measured = true;
  });

  test('asked with its token, and refused without', async () => {
    const folder = drillFolder();
    writeFileSync(join(folder, 'token'), 'abc\n');
    production.alerts = [];
    production.bad = 0;
    production.token = 'Bearer abc';
    const { url } = production;
    const by = (access: unknown) => ({
      alertmanager: access,
      prometheus: access,
      budgetLeft: '1%',
    });
    const known = await refusals({ production: by({ url, bearerFile: join(folder, 'token') }) });
    const unknown = await refusals({ production: by(url) });
    const unread = await refusals({ production: by({ url, bearerFile: 'nowhere' }) });
    production.token = undefined;
    expect(known).toEqual([]);
    expect(unknown).toEqual([
      expect.stringContaining('401'),
      expect.stringContaining('expected credentials'),
    ]);
    expect(unread[0]).toContain('it cannot be asked: the Alertmanager: ENOENT');
  });

  test('who does not answer has refused', async () => {
    const nowhere = 'http://127.0.0.1:9';
    const spec = { production: { alertmanager: nowhere, prometheus: nowhere, budgetLeft: '20%' } };
    const found = await refusals(spec);
    expect(found).toEqual([
      expect.stringContaining('guard.production:3:5: it cannot be asked'),
      expect.stringContaining('guard.production.budgetLeft:3:5: it cannot be asked'),
    ]);
  });

  test.each([
    [{}, 'expected prometheus or alertmanager'],
    [{ alertmanager: 'http://a', budgetLeft: '20%' }, 'expected prometheus beside budgetLeft'],
    [{ prometheus: 'http://a', budgetLeft: 0.2 }, 'expected a text'],
    [{ prometheus: 'prod:9090' }, 'expected such as https://prometheus.example:9090'],
  ])('%j is no production', (spec, said) => {
    const { error } = guardSchema.safeParse({ production: spec });
    expect(error?.message).toContain(said);
  });
});

const system: Strikable = {
  workloads: [
    {
      name: 'front',
      service: 'front',
      proxy: 'front-proxy',
      edges: [{ name: 'front/back', to: 'back' }],
    },
    { name: 'back-1', service: 'back', proxy: 'back-1-proxy' },
    { name: 'back-2', service: 'back', proxy: 'back-2-proxy' },
    { name: 'jobs', service: 'jobs' },
  ],
  relays: [{ name: 'jobs/db', from: 'jobs', to: 'db', process: 'jobs-to-db-relay' }],
};

describe('blast radius', () => {
  test.each([
    ['back', ['back-1', 'back-2']],
    ['back-2', ['back-2']],
    ['back-2-proxy', ['back-2']],
    ['front/back', ['front']],
    ['db', ['jobs']],
    ['jobs-to-db-relay', ['jobs']],
    ['controller', ['front', 'back-1', 'back-2', 'jobs']],
    ['prometheus', []],
  ])('a fault on %s strikes %j', (target, struck) => {
    expect(struckBy(system, target)).toEqual(struck);
  });

  test.each([
    [{ maxServices: 1 }, ['back', 'back-2'], undefined],
    [{ maxServices: 1 }, ['back', 'db'], '2 services are struck (back, jobs), and 1 is allowed'],
    [{ maxWorkloads: 1 }, ['back'], '2 workloads are struck (back-1, back-2), and 1 is allowed'],
    [{ maxPercent: 50 }, ['back'], undefined],
    [
      { maxPercent: 50 },
      ['back', 'front/back'],
      '3 of 4 workloads (75.0%) are struck (back-1, back-2, front), and 50% are allowed',
    ],
  ])('%j, of %j', (spec, targets, said) => {
    expect(guard(spec).excess(system, targets)?.text).toBe(said);
  });

  test.concurrent('is enforced at the injection: nothing is put, and the run ends', async () => {
    const place = { file: 'firedrill.yaml', line: 30, column: 16 };
    const excess = { field: 'maxWorkloads' as const, text: '2 workloads are struck', place };
    const record = await smallDrill({
      guard: { refusals: () => Promise.resolve([]), excess: () => excess },
    });
    expect([record.verdict, record.faults]).toEqual(['ABORTED', []]);
    expect(record.reasons[0]).toBe(
      'the guard refuses the fault dead: firedrill.yaml:30:16: 2 workloads are struck',
    );
  });

  test.concurrent('a page of production that fires meanwhile: nothing is put', async () => {
    const refused = ['firedrill.yaml:31:5: firing: CheckoutDown'];
    const record = await smallDrill({
      guard: { refusals: () => Promise.resolve(refused), excess: () => undefined },
    });
    expect([record.verdict, record.faults]).toEqual(['ABORTED', []]);
    expect(record.reasons[0]).toBe(`the guard refuses: ${refused[0]}`);
  });
});

describe('gameday run', () => {
  const run = async (guarded: string, ...args: string[]): Promise<[number | null, string]> => {
    const folder = drillFolder();
    cpSync(systems(), folder, { recursive: true });
    const file = join(folder, 'firedrill.yaml');
    writeFileSync(file, `${readFileSync(file, 'utf8')}guard:\n  ${guarded}\n`);
    const { code, output } = await firedrill(folder, 'gameday', ...args).ended;
    expect(existsSync(join(folder, 'gameday-report'))).toBe(false);
    return [code, output.replaceAll(`${folder}/`, '')];
  };
  const cases: [string, string[], number, string][] = [
    [
      'confirm: true',
      ['run', '--confirm', 'orders'],
      2,
      'firedrill.yaml:27:12: two-services is broken only with --confirm two-services, not --confirm orders\n',
    ],
    [
      'incidents: [echo, INC-7]',
      ['run'],
      4,
      'the guard refuses: firedrill.yaml:27:14: open: INC-7\n',
    ],
    [
      'maxPercent: 40',
      ['run'],
      2,
      'scenarios/back-cut.yaml:14:3: 1 of 2 workloads (50.0%) are struck (front), and 40% are allowed ' +
        'by the guard (firedrill.yaml:27:15: maxPercent)\n',
    ],
    ['hours: late', ['run'], 2, 'firedrill.yaml:27:10: guard.hours: expected such as 09:00-17:00'],
    [
      'incidents: [echo, INC-7]',
      ['plan'],
      0,
      'guard: incidents: open: INC-7: a drill would be refused now\n',
    ],
    [
      'incidents: [echo, INC-7]',
      ['plan', '--format', 'json'],
      0,
      '"guard": [\n    {\n      "field": "incidents",\n      "held": false,\n      "text": "open: INC-7"',
    ],
  ];
  test.each(cases)('%s, %j: exit code %i', async (guarded, args, code, said) => {
    expect(await run(guarded, ...args)).toEqual([code, expect.stringContaining(said)]);
  });
});
