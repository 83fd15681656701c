/** The options of a game day, and the times derived from the time scale. */
import type { ExistingOptions } from '../../alerts/watch/existing/existing.js';
import { UserError } from '../../base/errors.js';
import type { Timing } from '../runner/context.js';
import type { Drill } from '../system/drill-file.js';

export interface GameDayOptions {
  /** The system under drill. */
  drill: Drill;
  /** Names of built-in scenarios, or files. */
  scenarios: string[];
  timeScale: number;
  prometheus: 'auto' | 'embedded' | 'prometheus';
  /** Existing servers that judge, instead of an own watch; the time scale is then 1. */
  existing?: ExistingOptions;
  load: 'auto' | 'embedded' | 'k6';
  /** All routes together; absent: the load's own rate. */
  requestsPerSecond?: number;
  /** SLO files. */
  slos: string[];
  /** Rule files of Prometheus, scaled for the drill. */
  rules: string[];
  /** The alertmanager.yml under test. */
  alertmanager?: string;
  /** A file of silences, active during the drill. */
  silences?: string;
  /** The time at which mute and active time intervals are evaluated; absent: the wall clock. */
  routingMs?: number;
  /** The reason for a chosen time scale. */
  scaleWhy?: string;
  /** The folder of the journal and the kill switch. */
  stateFolder: string;
  allowanceMs: number;
  /** Whether each scenario's runbook is proved, and followed instead of the drill's own undo. */
  proveRunbooks?: boolean;
  /** The value of `--confirm`: the drill's name, if its guard requires it. */
  confirm?: string;
  /** The command line, for the record. */
  command: string;
}

export const defaultTimeScale = 1 / 240;
export const defaultStateFolder = '.firedrill';
/** Allowance in milliseconds for delays that no time scale shortens: grouping, delivery, a busy machine. */
export const defaultAllowanceMs = 2000;

/** Below this interval, a scrape of a dozen processes costs more than it shows. */
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
  // The shortest divisor of four minutes whose step contains a scrape.
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

/** `1/240` if the scale is that fraction. */
export function scaleText(scale: number): string {
  const inverse = Math.round(1 / scale);
  if (inverse === 1) return '1';
  return Math.abs(1 / scale - inverse) < 1e-9 ? `1/${inverse}` : String(scale);
}
