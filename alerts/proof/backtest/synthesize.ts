/** Turns a story into the counters that a scraper would have read from the service. */
import { type Random, seededRandom } from '../../../base/random.js';
import type { Counters } from './events.js';
import { type Incident, shareOf, type Story, type Traffic } from './incidents.js';

const dayMs = 86_400_000;

export function synthesize(story: Story, budget: number, slo: string, stepMs: number): Counters {
  const n = Math.floor(story.durationMs / stepMs);
  const total = new Float64Array(n);
  const bad = new Float64Array(n);
  const random = seededRandom(seedOf(story.seed, slo));
  const incidents = story.incidents.filter((i) => i.slos.length === 0 || i.slos.includes(slo));
  const { baseline } = story;
  const usual = 'share' in baseline ? baseline.share : Math.min(1, baseline.burn * budget);
  const shares = incidents.map((i) => shareOf(i, budget));
  let [sumTotal, sumBad, expectedTotal, expectedBad] = [0, 0, 0, 0];
  let first = 0;
  const memory = story.noise === 'memory' ? new Memory(random, stepMs) : undefined;
  for (let i = 0; i < n; i++) {
    const atMs = story.startMs + i * stepMs;
    let traffic = trafficAt(story.traffic, atMs);
    let good = 1 - usual;
    let gap = false;
    while (first < incidents.length && isOver(incidents, first, atMs)) first++;
    for (let k = first; k < incidents.length; k++) {
      const incident = incidents[k] as Incident;
      if (incident.startMs >= atMs + stepMs) break;
      if (incident.endMs <= atMs) continue;
      traffic *= incident.traffic;
      if (incident.kind === 'data-gap') gap = true;
      good *= 1 - (shares[k] as number) * shape(incident, atMs);
    }
    // A scrape reads only the events before it.
    total[i] = gap ? NaN : sumTotal;
    bad[i] = gap ? NaN : sumBad;
    if (memory) {
      memory.step();
      traffic *= memory.traffic;
      good *= (1 - Math.min(1, usual * memory.errors)) / (1 - usual);
    }
    const events = (traffic * stepMs) / 1000;
    expectedTotal += events;
    if (story.noise !== 'none') {
      const drawn = poisson(events, random);
      sumTotal += drawn;
      sumBad += binomial(drawn, 1 - good, random);
    } else {
      // Only whole events are counted; the fraction carries over to the next step.
      const before = sumTotal;
      sumTotal = Math.floor(expectedTotal + 1e-9);
      expectedBad += (sumTotal - before) * (1 - good);
      sumBad = Math.floor(expectedBad + 1e-9);
    }
  }
  return { startMs: story.startMs, stepMs, bad, total };
}

const memoryMs = 20 * 60_000;
const spread = { traffic: 0.15, errors: 0.6 };

/** Two random factors with mean 1; the logarithm of each is a first-order autoregressive process. */
class Memory {
  traffic = 1;
  errors = 1;
  readonly #random: Random;
  readonly #keep: number;
  readonly #fresh: number;
  #states = { traffic: 0, errors: 0 };

  constructor(random: Random, stepMs: number) {
    this.#random = random;
    this.#keep = Math.exp(-stepMs / memoryMs);
    this.#fresh = Math.sqrt(1 - this.#keep ** 2);
  }

  step(): void {
    this.traffic = this.#next('traffic');
    this.errors = this.#next('errors');
  }

  #next(of: 'traffic' | 'errors'): number {
    const state = this.#keep * this.#states[of] + this.#fresh * normal(this.#random);
    this.#states[of] = state;
    return Math.exp(spread[of] * state - spread[of] ** 2 / 2);
  }
}

const isOver = (incidents: readonly Incident[], k: number, atMs: number): boolean =>
  (incidents[k] as Incident).endMs <= atMs;

/** Each SLO has its own random numbers, the same in every run. */
function seedOf(seed: number, slo: string): number {
  let hash = seed >>> 0;
  for (let i = 0; i < slo.length; i++) hash = (Math.imul(hash, 31) + slo.charCodeAt(i)) >>> 0;
  return hash;
}

/** Events a second: a cosine over the day, with fewer events at weekends. */
export function trafficAt(traffic: Traffic, atMs: number): number {
  const phase = ((atMs - traffic.peakMs) / dayMs) * 2 * Math.PI;
  const depth = (1 - traffic.night) / (1 + traffic.night);
  const day = new Date(atMs).getUTCDay();
  const weekend = day === 0 || day === 6 ? traffic.weekend : 1;
  return traffic.perSecond * (1 + depth * Math.cos(phase)) * weekend;
}

/** The share of bad events at a moment of an incident; `usual` is the share without an incident. */
export function badShareAt(
  incident: Incident,
  atMs: number,
  usual: number,
  budget: number,
): number {
  return 1 - (1 - usual) * (1 - shareOf(incident, budget) * shape(incident, atMs));
}

/** The intensity of an incident at a moment, 0 to 1. */
function shape(incident: Incident, atMs: number): number {
  const since = atMs - incident.startMs;
  if (incident.kind === 'brown-out') {
    const rise = since / incident.rampMs;
    const fall = (incident.endMs - atMs) / incident.rampMs;
    return Math.max(0, Math.min(1, rise, fall));
  }
  if (incident.kind === 'flapping') {
    return since % (incident.badMs + incident.goodMs) < incident.badMs ? 1 : 0;
  }
  return 1;
}

/** A random number of events; above a mean of 50 the normal distribution is close enough. */
function poisson(mean: number, random: Random): number {
  if (mean <= 0) return 0;
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.next(); product > limit; product *= random.next()) count++;
  return count;
}

function binomial(count: number, share: number, random: Random): number {
  const mean = count * share;
  if (mean <= 0) return 0;
  if (share >= 1) return count;
  if (mean > 50 && count - mean > 50) {
    const spread = Math.sqrt(mean * (1 - share));
    return Math.min(count, Math.max(0, Math.round(mean + spread * normal(random))));
  }
  if (mean <= 50 && share < 0.5) return Math.min(count, poisson(mean, random));
  return count - Math.min(count, poisson(count - mean, random));
}

/** The Box-Muller transform. */
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
