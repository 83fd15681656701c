/** PromQL in a scenario: `[{{5m}}]` is five minutes of production time, `[{{since}}]` the time since the onset. */
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Fills in real ranges. Each range is at least four scrapes long, so that it holds enough samples for a rate. */
export function fillQuery(
  template: string,
  scale: number,
  scrapeIntervalMs: number,
  sinceMs = 0,
): string {
  return template.replace(placeholder, (_, name: string) => {
    const nominalMs = name === 'since' ? undefined : (parseDurationMs(name) ?? 0);
    const realMs = nominalMs === undefined ? sinceMs : nominalMs * scale;
    return formatDurationMs(Math.round(Math.max(realMs, 4 * scrapeIntervalMs)));
  });
}

/** Returns the first invalid placeholder; undefined if all are valid. */
export function badPlaceholder(template: string): string | undefined {
  for (const [text, name = ''] of template.matchAll(placeholder)) {
    if (name !== 'since' && parseDurationMs(name) === undefined) return text;
  }
  return undefined;
}
