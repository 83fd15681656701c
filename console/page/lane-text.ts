/** The state of a lane in words: shown above it, and read by a screen reader. */
import { withheldWords } from '../../runbooks/event-text.js';
import type { Lane } from './view.js';
import { span } from './words.js';

export function laneText(lane: Lane, nowMs: number): string {
  const { armedAtMs, deadlineAtMs, notifiedAtMs, missed, hidden, hiddenBy } = lane;
  if (hidden) return hidden.text;
  if (hiddenBy) return missed ?? hiddenText(hiddenBy, armedAtMs, notifiedAtMs);
  if (notifiedAtMs !== undefined) {
    const margin = deadlineAtMs - notifiedAtMs;
    const tookMs = notifiedAtMs - armedAtMs;
    const rang =
      tookMs < 0
        ? `rang ${span(tookMs)} before the fault was seen to take effect`
        : `rang after ${span(tookMs)}`;
    const { acknowledgedAtMs } = lane;
    const seen =
      acknowledgedAtMs === undefined
        ? ''
        : `; acknowledged ${span(acknowledgedAtMs - notifiedAtMs)} later`;
    return margin >= 0
      ? `${rang}, ${span(margin)} before its deadline${seen}`
      : `${rang}, ${span(margin)} too late${seen}`;
  }
  if (missed !== undefined) return missed;
  const left = deadlineAtMs - nowMs;
  const awaited = left >= 0 ? `awaited, ${span(left)} left` : `awaited, late by ${span(left)}`;
  if (!lane.theory) return awaited;
  const after = (atMs: number): string => span(Math.max(0, atMs - armedAtMs));
  return `${awaited}; expected after ${after(lane.theory.earliestAtMs)} to ${after(lane.theory.latestAtMs)}`;
}

function hiddenText(
  by: NonNullable<Lane['hiddenBy']>,
  armedAtMs: number,
  notifiedAtMs: number | undefined,
): string {
  const must = `must be ${withheldWords(by)}`;
  if (notifiedAtMs !== undefined)
    return `rang after ${span(notifiedAtMs - armedAtMs)}, and ${must}`;
  return `must fire, and ${must}: judged at the end`;
}
