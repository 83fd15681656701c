/** Reads the period of an SLO: whole days, or the calendar month. */
import { parseDurationMs } from '../../base/duration.js';
import type { Period } from './model.js';

/** The longest period, in days. */
const daysMax = 366;

/** Reads `30d`, `2w`, `12w` or `month`; undefined unless it is a month or whole days from 1 to 366. */
export function parsePeriodText(text: string): Period | undefined {
  if (text === 'month') return { days: 30, calendar: 'month' };
  const days = (parseDurationMs(text) ?? 0) / 86_400_000;
  return Number.isInteger(days) && days >= 1 && days <= daysMax ? { days } : undefined;
}

export const periodsExpected = `whole days from 1d to ${daysMax}d, such as 7d, 2w, 30d or 12w`;
