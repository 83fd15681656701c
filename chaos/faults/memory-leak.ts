/**
 * Loaded into a process by `node --import` for a drill: allocates this many more megabytes of heap each second, until
 * V8 runs out of memory as with a real leak. FIREDRILL_LEAK_MB_PER_SECOND sets the rate.
 */
const perSecond = Number(process.env.FIREDRILL_LEAK_MB_PER_SECOND ?? 0);
const everyMs = 100;
const kept: number[][] = [];

if (perSecond > 0) {
  // Eight bytes per number; fractions, so that V8 stores them as doubles.
  const numbers = Math.round((perSecond * 1024 * 1024 * everyMs) / 1000 / 8);
  setInterval(() => kept.push(Array.from({ length: numbers }, (_, i) => i + 0.5)), everyMs).unref();
}
