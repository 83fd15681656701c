/** The command line: every example of the README runs, files are read, mistakes are reported with their places. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../../base/errors.js';
import { asset, packageRoot, program } from '../../../base/paths.js';
import { checkQuery } from '../../../slo/promql/check-command.js';
import { readCsv } from '../../../slo/promql/data/csv.js';
import { readOpenMetrics } from '../../../slo/promql/data/openmetrics.js';
import { askPrometheus } from '../../../slo/promql/data/remote.js';
import { resultJson } from '../../../slo/promql/data/results.js';
import { MemoryStore } from '../../../slo/promql/index.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-promql-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]): { status: number | null; out: string; err: string } => {
  const command = [program('cli'), 'promql', ...args];
  const done = spawnSync(process.execPath, command, { cwd: packageRoot, encoding: 'utf8' });
  return { status: done.status, out: done.stdout, err: done.stderr };
};

const readme = readFileSync(asset('slo/promql/README.md'), 'utf8');
const examples = [...readme.matchAll(/```sh\n([^]*?)```/g)].flatMap((m) =>
  (m[1] as string).split('\n').filter((line) => line.startsWith('firedrill ')),
);

test.each(examples)('%s', (line) => {
  const command = line.replace(/^firedrill/, `"${process.execPath}" "${program('cli')}"`);
  const done = spawnSync('sh', ['-c', command], { cwd: packageRoot, encoding: 'utf8' });
  expect([done.status, done.stderr]).toEqual([0, '']);
  expect(done.stdout).not.toBe('');
});

describe('query', () => {
  const file = join(folder, 'load.csv');
  writeFileSync(file, 'time,load,"up{job=""a""}"\n1700000000,0.5,1\n1700000060,0.75,\n');

  test('a table with a column a series, as JSON', () => {
    const { status, out } = run('query', 'load * 4', '--file', file, '--format', 'json');
    expect(status).toBe(0);
    expect(JSON.parse(out)).toEqual({
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, value: [1700000060, '3'] }] },
    });
  });

  test('a range, as text', () => {
    expect(run('query', 'load', '--file', file, '--step', '1m').out).toBe(
      'load\n  2023-11-14T22:13:20Z  0.5\n  2023-11-14T22:14:20Z  0.75\n',
    );
  });

  test.each([
    [['query', 'load +', '--file', file], 2, '1:7: unexpected end of input'],
    [['query', 'load'], 2, 'no samples to query; expected either --input or --prometheus'],
    [['query', 'load', '--file', join(folder, 'none.csv')], 2, 'no such file'],
    [['query', 'load', '--file', file, '--step', 'often'], 2, '--step often; expected a duration'],
    [
      ['query', 'load', '--input', file, '--from', 'soon', '--step', '1m'],
      2,
      '--from soon; expected seconds',
    ],
    [['query', 'load * on () load', '--file', file, '--format', 'xml'], 2, '--format xml'],
    [['query', 'load', '--prometheus', 'http://127.0.0.1:1'], 5, 'no answer'],
  ])('%s', (args, status, message) => {
    const done = run(...args);
    expect(done.status).toBe(status);
    expect(done.err).toContain(message);
    expect(done.err).not.toContain('    at ');
  });
});

describe('names without quotes', () => {
  test.each([
    'http.requests',
    'sum by (service.name) (up)',
    'größe > 1',
    'up{straße="a"}',
    'up * on (a..b) group_left (å) info.total',
  ])('%s takes a feature', (query) => {
    const off = checkQuery(query, undefined, 'text');
    expect(off.ok).toBe(false);
    expect(off.shown).toContain('stands in quotes');
    expect(off.shown).toContain('--enable-feature=promql-unquoted-utf8-names');
    expect(checkQuery(query, undefined, 'text', ['promql-unquoted-utf8-names'])).toEqual({
      ok: true,
      shown: 'ok: an instant vector\n',
    });
  });

  test('a function of such a name is none', () => {
    const shown = checkQuery('rate.total(up)', undefined, 'text', ['promql-unquoted-utf8-names']);
    expect(shown.shown).toContain('1:1: unknown function with name "rate.total"');
  });
});

describe('files', () => {
  test('OpenMetrics counts seconds, Prometheus milliseconds', () => {
    const [a, b] = [new MemoryStore(), new MemoryStore()];
    readOpenMetrics('a.txt', 'x{l="a b"} 1 1700000000.5 # {} 1\n# EOF\n', a);
    readOpenMetrics('b.txt', 'x{l="a b"} +Inf 1700000000500\n', b);
    expect(a.series({ __name__: 'x', l: 'a b' }).lastMs).toBe(1_700_000_000_500);
    expect(b.series({ __name__: 'x', l: 'a b' }).lastMs).toBe(1_700_000_000_500);
    expect(b.series({ __name__: 'x', l: 'a b' }).values[0]).toBe(Infinity);
  });

  test('a table of labels and values', () => {
    const store = new MemoryStore();
    const text =
      'name,time,job,value\nup,2026-01-01T00:00:00Z,"a, b",1\nup,2026-01-01T00:01:00Z,"a, b",0\n';
    expect(readCsv('t.csv', text, store)).toBe(2);
    expect(store.series({ __name__: 'up', job: 'a, b' }).length).toBe(2);
  });

  test.each([
    ['x 1\n', readOpenMetrics, "f:1:1: cannot read '1'; expected a value and a time"],
    ['\nx{l=a} 1 2\n', readOpenMetrics, 'f:2:1: labels are written'],
    ['when,x\n1,2\n', readCsv, 'f:1:1: no column of times'],
    ['time,a b\n1,2\n', readCsv, "f:1:1: 'a b' names no series"],
    ['time,x\n1,2,3\n', readCsv, 'f:2:1: 3 fields; expected 2'],
    ['time,x\n1,two\n', readCsv, "f:2:1: 'two' is not a number"],
    ['time,x\nnoon,2\n', readCsv, "f:2:1: 'noon' is not a time"],
  ])('%j is refused', (text, read, message) => {
    const reading = (): number => read('f', text, new MemoryStore());
    expect(reading).toThrow(UserError);
    expect(reading).toThrow(message);
  });
});

test('a remote answer comes back as it was sent', async () => {
  const data = {
    resultType: 'matrix',
    result: [
      {
        metric: { __name__: 'up' },
        values: [
          [1, '1'],
          [2, 'NaN'],
          [3, '+Inf'],
        ],
      },
    ],
  };
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ status: 'success', data, warnings: ['mind the gap'] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { result, warnings } = await askPrometheus(url, 'up', {
      startMs: 1000,
      endMs: 3000,
      stepMs: 1000,
    });
    expect(resultJson(result)).toEqual(data);
    expect(warnings).toEqual(['mind the gap']);
  } finally {
    server.close();
  }
});

describe('test', () => {
  test('counts what passed, failed and is not supported, as JSON', () => {
    const file = join(folder, 'mixed.test');
    const script =
      'load 1m\n  x 1 2\n\neval instant at 1m x\n  x 2\n\neval instant at 1m x\n  x 3\n\neval sometimes x\n';
    writeFileSync(file, script);
    const { status, out } = run('test', file, '--format', 'json');
    expect(status).toBe(1);
    const parsed = JSON.parse(out) as { totals: object; files: { problems: object[] }[] };
    expect(parsed.totals).toEqual({ passed: 1, failed: 1, unsupported: 1 });
    expect(parsed.files[0]?.problems).toMatchObject([
      { line: 7, status: 'failed', reason: 'x: expected 3, got 2' },
      { line: 10, status: 'unsupported' },
    ]);
  });

  test('a script without an eval tests nothing', () => {
    const file = join(folder, 'empty.test');
    writeFileSync(file, 'load 1m\n  x 1\n');
    expect(run('test', file)).toMatchObject({ status: 2 });
  });
});
