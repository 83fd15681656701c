/** `firedrill --help` shows every command in one group, and hides commands that programs start. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { program } from '../../base/paths.js';

test('the help begins where a person does, and no command is left over', () => {
  const help = execFileSync(process.execPath, [program('cli'), '--help']).toString();
  const headings = help.match(/^\w.*:$/gm);
  expect(headings).toEqual([
    'Options:',
    'Start here:',
    'SLOs and dashboards:',
    'Alerts:',
    'Game days:',
    'Incidents:',
    'The mesh, to operate:',
    'The mesh, to look at:',
    'The mesh, its programs:',
  ]);
  const names = [...help.matchAll(/^ {2}([a-z-]+) /gm)].map((m) => m[1]);
  expect(names.slice(0, 2)).toEqual(['init', 'gameday']);
  expect(new Set(names).size).toBe(names.length);
  expect(names).not.toContain('injector');
});
