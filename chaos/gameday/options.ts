/** What a game day is asked for, and the times that follow from the time scale. */
import type { ExistingOptions } from '../../alerts/watch/existing/existing.js';
import { UserError } from '../../base/errors.js';
import type { Timing } from '../runner/context.js';
import type { Drill } from '../system/drill-file.js';

export interface GameDayOptions {
  /** What is drilled. */
  drill: Drill;
  /** Names of ours, or files. */
  scenarios: string[];
  timeScale: number;
  prometheus: 'auto' | 'embedded' | 'prometheus';
  /** What runs already and judges, instead of a watch of one's own; the time scale is 1 then. */
  existing?: ExistingOptions;
  load: 'auto' | 'embedded' | 'k6';
  /** All routes together; absent: as the load says itself. */
  requestsPerSecond?: number;
  /** SLO files. */
  slos: string[];
  /** Rule files of Prometheus, scaled for the drill. */
  rules: string[];
  /** The alertmanager.yml under test. */
  alertmanager?: string;
  /** A file of silences, in force during the drill. */
  silences?: string;
  /** When mute and active time intervals are judged; absent: by the clock on the wall. */
  routingMs?: number;
  /** Why the time scale is what it is, where it was chosen. */
  scaleWhy?: string;
  /** For the journal and the kill switch. */
  stateFolder: string;
  allowanceMs: number;
  /** Whether each scenario's runbook is held against it, and followed instead of the drill's own undo. */
  proveRunbooks?: boolean;
  /** What `--confirm` said: the drill's name, where its guard wants it. */
  confirm?: string;
  /** As it was typed, for the record. */
  command: string;
}

export const defaultTimeScale = 1 / 240;
export const defaultStateFolder = '.firedrill';
/** For what no time scale shortens: grouping, delivery, a busy machine. */
export const defaultAllowanceMs = 2000;

/** Below this a scrape of a dozen processes costs more than it tells. */
const scrapeMinMs = 250;
const scrapeMaxMs = 15_000;

/** `1/240`, `0.5` or `1`. */
export function parseTimeScale(text: string): number {
  const [top = '', bottom, ...more] = text.split('/');
  const value = bottom === undefined ? Number(top) : Number(top) / Number(bottom);
  if (more.length === 0 && top.trim() !== '' && value > 0 && value <= 1) return value;
  throw new UserError({
    message: `bad time scale '${text}'`,
    expected: 'a fraction above 0, at most 1, such as 1/240',
  });
}

export function timingOf(timeScale: number, allowanceMs: number): Timing {
  const scrapeIntervalMs = Math.round(
    Math.min(scrapeMaxMs, Math.max(scrapeMinMs, scrapeMaxMs * timeScale)),
  );
  // Of the lengths that divide four minutes, the first whose step holds a scrape.
  const steps = [30_000, 60_000, 120_000, 240_000];
  const stepMs =
    steps.find((ms) => ms * timeScale >= scrapeIntervalMs * 0.99) ?? (steps.at(-1) as number);
  if (stepMs * timeScale < 50) {
    throw new UserError({
      message: `a time scale of ${timeScale} leaves no time to measure anything`,
      expected: 'at least 1/1000',
    });
  }
  return {
    timeScale,
    stepMs,
    scrapeIntervalMs,
    evaluationIntervalMs: Math.max(1, Math.round(stepMs * timeScale)),
    allowanceMs,
  };
}

/** `1/240` where that is what it is. */
export function scaleText(scale: number): string {
  const inverse = Math.round(1 / scale);
  if (inverse === 1) return '1';
  return Math.abs(1 / scale - inverse) < 1e-9 ? `1/${inverse}` : String(scale);
}
