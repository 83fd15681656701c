/** The time from an incident's start to its page, beside the minimum that any rule needs. */
import { seededRandom } from '../base/random.js';
import { planOf, type Slo } from '../slo/index.js';
import { healthyShare } from '../slo/rules/false-pages.js';
import { Pager, poissonSource } from './chance-years.js';

const hourMs = 3_600_000;

/**
 * Mean events that any rule needs to distinguish a share `p1` of bad events from `p0` with one false alarm a year:
 * Wald's bound of a sequential test, in Lorden's form for a change: ln of the events between false alarms over the
 * Kullback-Leibler information of one event.
 */
export function waldEvents(p1: number, p0: number, perHour: number): number {
  const term = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return Math.log(perHour * 8760) / (term(p1, p0) + term(1 - p1, 1 - p0));
}

/**
 * Incidents with a share of bad events, each at a random moment of a healthy service: milliseconds until the page,
 * and until the event that completed its condition. Events come singly, at exponential distances.
 */
export function outageDelays(
  slo: Slo,
  perHour: number,
  share: number,
  count: number,
  seed: number,
): { pages: number[]; events: number[] } {
  const plan = planOf(slo);
  const delays: { pages: number[]; events: number[] } = { pages: [], events: [] };
  const random = seededRandom(seed);
  const warmSteps = Math.round((6 * hourMs) / plan.stepMs);
  const usual = plan.budget * healthyShare;
  const perStep = (perHour * plan.stepMs) / hourMs;
  const bad = poissonSource(perStep * usual, random);
  const good = poissonSource(perStep * (1 - usual), random);
  for (let n = 0; n < count; n++) {
    const pager = new Pager(slo);
    for (let i = 0; i < warmSteps; i++) {
      const failed = bad();
      pager.step(failed, failed + good());
    }
    const began = random.next() * plan.stepMs;
    let next = began;
    for (let step = 1; ; step++) {
      let [failed, total, lastBad] = [0, 0, began];
      for (
        ;
        next <= step * plan.stepMs;
        next += (-Math.log(1 - random.next()) / perHour) * hourMs
      ) {
        if (next === began) continue;
        total++;
        if (random.next() >= share) continue;
        failed++;
        lastBad = next;
      }
      if (!pager.step(failed, total)) continue;
      delays.pages.push(step * plan.stepMs - began);
      delays.events.push(lastBad - began);
      break;
    }
  }
  return delays;
}
