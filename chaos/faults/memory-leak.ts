/**
 * Loaded into a process by `node --import` for a drill: keeps so many megabytes more each second in the heap, until V8
 * gives up as it does of a real leak. FIREDRILL_LEAK_MB_PER_SECOND says how many.
 */
const perSecond = Number(process.env.FIREDRILL_LEAK_MB_PER_SECOND ?? 0);
const everyMs = 100;
const kept: number[][] = [];

if (perSecond > 0) {
  // Eight bytes a number; fractions, so that V8 keeps them as they are.
  const numbers = Math.round((perSecond * 1024 * 1024 * everyMs) / 1000 / 8);
  setInterval(() => kept.push(Array.from({ length: numbers }, (_, i) => i + 0.5)), everyMs).unref();
}
