/** The pages of docs/tasks: each command works as written, in an empty folder, in order. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asset, program } from '../../base/paths.js';

const pages = readdirSync(asset('docs/tasks'));

/** The words of a command line: quoted ones keep their spaces. */
const wordsOf = (line: string): string[] =>
  (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));

test('there are five tasks', () => expect(pages.length).toBe(5));

test.each(pages)(
  '%s',
  (page) => {
    const folder = mkdtempSync(join(tmpdir(), 'firedrill-task-'));
    try {
      const text = readFileSync(asset(`docs/tasks/${page}`), 'utf8');
      for (const [, name = '', body = ''] of text.matchAll(/```yaml (\S+)\n([^]*?)```/g)) {
        writeFileSync(join(folder, name), body);
      }
      const commands = [...text.matchAll(/```sh\n([^]*?)```/g)].flatMap((m) =>
        (m[1] ?? '').trim().split('\n'),
      );
      expect(commands.length).toBeGreaterThan(2);
      for (const line of commands) {
        const [command = '', comment = ''] = line.split(/ +# /);
        expect(command).toMatch(/^firedrill /);
        const run = spawnSync(process.execPath, [program('cli'), ...wordsOf(command).slice(1)], {
          cwd: folder,
          encoding: 'utf8',
          input: '',
        });
        const wanted = Number(/^exit (\d+)/.exec(comment)?.[1] ?? 0);
        expect([command, run.status, run.stderr]).toEqual([command, wanted, expect.any(String)]);
        expect(run.stdout + run.stderr).not.toMatch(/\n {4}at |firedrill itself failed/);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
