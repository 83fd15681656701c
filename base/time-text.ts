/** Reads times that people write. */

const written =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * Milliseconds since the epoch of `2026-05-01`, `2026-05-01T12:00` or `2026-05-01T12:00:30.5+02:00`; without a zone,
 * the time is UTC. NaN for any other text, and for a day that no calendar has: `Date.parse` moves February 30 to March,
 * reads `-1` as a year, and takes a time without a zone for that of the machine.
 */
export function readTimeMs(text: string): number {
  const found = written.exec(text);
  if (!found) return NaN;
  const part = (i: number): number => Number(found[i] ?? 0);
  const [year, month, day, hour, minute, second] = [
    part(1),
    part(2),
    part(3),
    part(4),
    part(5),
    part(6),
  ];
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(atMs);
  const isSame =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour;
  if (!isSame || minute > 59 || second > 59) return NaN;
  const zone = found[8]?.replace(':', '') ?? 'Z';
  const eastMinutes = /z/i.test(zone) ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  const sign = zone.startsWith('-') ? 1 : -1;
  return atMs + sign * eastMinutes * 60_000 + part(7) * 1000;
}
