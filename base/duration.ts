/** Durations in Prometheus's syntax: `1h30m`, `500ms`, `30d`. A year is 365 days, a week 7. */

const unitMs: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

const pattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const order = ['y', 'w', 'd', 'h', 'm', 's', 'ms'] as const;

/** Milliseconds; undefined unless `text` is a Prometheus duration or `0`. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (text === '') return undefined;
  const match = pattern.exec(text);
  if (!match) return undefined;
  let total = 0;
  order.forEach((unit, i) => {
    const digits = match[i + 1];
    if (digits !== undefined) total += Number(digits) * (unitMs[unit] as number);
  });
  return Number.isSafeInteger(total) ? total : undefined;
}

/** The shortest exact form: 5400000 is `1h30m`; whole days stay days (`30d`), as is usual in rules. */
export function formatDurationMs(ms: number): string {
  if (ms === 0) return '0s';
  if (!Number.isInteger(ms) || ms < 0) throw new RangeError(`not a duration: ${ms} ms`);
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const size = unitMs[unit] as number;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
