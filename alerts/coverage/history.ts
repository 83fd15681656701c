/** Coverage kept over runs: one JSON file in the state folder, the newest run last. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { makeFolder } from '../../base/make-folder.js';
import { messageOf, UserError } from '../../base/errors.js';
import { systemReason } from '../../base/write-file.js';
import { writeFileWhole } from '../../base/write-file.js';
import type { CoverageRun } from './model.js';

const proof = z.object({
  scenario: z.string(),
  run: z.string(),
  atMs: z.number(),
  afterMs: z.number(),
  receiver: z.string().optional(),
  expected: z.boolean(),
  endedBy: z.string().optional(),
});
const runSchema = z.object({
  run: z.string(),
  atMs: z.number(),
  system: z.string(),
  timeScale: z.number(),
  scenarios: z.array(z.string()),
  drills: z
    .record(z.string(), z.object({ verdict: z.string(), failureMode: z.string().optional() }))
    .optional(),
  alerts: z.array(
    z.object({
      alert: z.string(),
      severity: z.string(),
      rule: z.string().optional(),
      state: z.enum(['proven', 'never', 'cannot']),
      proof: proof.optional(),
      missing: z.array(z.string()).optional(),
      unmatched: z.array(z.string()).optional(),
    }),
  ),
});
const historySchema = z.object({ version: z.literal(1), runs: z.array(runSchema) });

const maxRuns = 200;
export const coverageFile = (stateFolder: string): string => join(stateFolder, 'coverage.json');

/** Oldest run first; empty where nothing was kept yet. A file of another format is a UserError and stays untouched. */
export function readCoverage(stateFolder: string): CoverageRun[] {
  const file = coverageFile(stateFolder);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new UserError(`${file}: ${systemReason(error) ?? messageOf(error)}`);
  }
  try {
    return historySchema.parse(JSON.parse(text)).runs as CoverageRun[];
  } catch {
    const message = `${file} is not a history of alert coverage`;
    throw new UserError({ message, expected: 'a file that firedrill wrote; move this one away' });
  }
}

export function keepCoverage(stateFolder: string, run: CoverageRun): void {
  const runs = [...readCoverage(stateFolder), run].slice(-maxRuns);
  makeFolder(stateFolder, 0o700);
  writeFileWhole(coverageFile(stateFolder), `${JSON.stringify({ version: 1, runs })}\n`);
}

/** The newest run of one system, in which each alert has its rule's latest proof from any run. */
export function standNow(runs: readonly CoverageRun[], system: string): CoverageRun | undefined {
  const own = runs.filter((r) => r.system === system);
  const newest = own.at(-1);
  if (!newest) return undefined;
  const alerts = newest.alerts.map((now) => {
    if (now.state === 'proven') return now;
    const { alert, severity, rule } = now;
    // At another time scale the same rule has other durations.
    const isSame = (r: CoverageRun): boolean =>
      r.timeScale !== newest.timeScale || [undefined, rule].includes(entryIn(r, now)?.rule);
    const proven = own.filter((r) => entryIn(r, now)?.proof !== undefined);
    const before = rule === undefined ? proven.at(-1) : proven.findLast(isSame);
    const proof = before && entryIn(before, now)?.proof;
    if (proof) return { alert, severity, ...(rule && { rule }), state: 'proven' as const, proof };
    return proven.length > 0 ? { ...now, changed: true } : now;
  });
  return { ...newest, alerts };
}

const entryIn = (
  run: CoverageRun,
  { alert, severity }: { alert: string; severity: string },
): CoverageRun['alerts'][number] | undefined =>
  run.alerts.find((a) => a.alert === alert && a.severity === severity);
