/** Generates stories from a seed: a service with traffic and noise, and one incident after a quiet month. */
import { type Random, seededRandom } from '../../../base/random.js';
import { budgetRatio } from '../../../slo/index.js';
import type { Expectation, Incident, IncidentKind, Story } from '../backtest/incidents.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Quiet time at the start, which fills the windows and is not judged. */
export const warmMs = 30 * dayMs;
/** Time after the quiet start, which is judged. */
export const judgedMs = 30 * dayMs;

export interface ToldStory {
  story: Story;
  objective: number;
  traffic: TrafficClass;
  incident: Incident;
}

export const trafficClasses = ['quiet', 'small', 'medium', 'large', 'huge'] as const;
export type TrafficClass = (typeof trafficClasses)[number];

/** Mean events an hour of each class; the rate of a story is up to 1.6 times higher or lower. */
const perHour: Record<TrafficClass, number> = {
  quiet: 20,
  small: 200,
  medium: 2000,
  large: 36_000,
  huge: 1_800_000,
};

export const classText = (of: TrafficClass): string =>
  perHour[of] >= 36_000 ? `${perHour[of] / 3600} a second` : `${perHour[of]} an hour`;

const storyKinds = [
  'outage',
  'brown-out',
  'flapping',
  'slow-burn',
  'deploy-spike',
  'low-traffic',
  'surge',
  'data-gap',
] as const satisfies readonly IncidentKind[];
export type StoryKind = (typeof storyKinds)[number];

const objectives = [99.9, 99.9, 99.5, 99];
const burns = [0.1, 0.3, 0.5];

/** Generates `count` stories, kinds and traffic classes in turn; deterministic by seed. */
export function* stories(count: number, seed: number): Generator<ToldStory> {
  for (let i = 0; i < count; i++) {
    const random = seededRandom(seed * 100_003 + i);
    const kind = storyKinds[i % storyKinds.length] as StoryKind;
    const turn = Math.floor(i / storyKinds.length);
    const traffic = trafficClasses[turn % trafficClasses.length] as TrafficClass;
    const objective = pick(objectives, random);
    const rate = (perHour[traffic] / 3600) * Math.exp(random.next() - 0.5);
    const incident = incidentOf(kind, rate, objective, random);
    const story: Story = {
      file: `story ${i + 1}`,
      startMs: Date.UTC(2026, 0, 5),
      durationMs: warmMs + judgedMs,
      seed: seed * 100_003 + i,
      noise: 'memory',
      traffic: {
        perSecond: rate,
        night: 0.2 + 0.8 * random.next(),
        peakMs: Math.floor(random.next() * 24) * hourMs,
        weekend: 0.4 + 0.6 * random.next(),
      },
      baseline: { burn: pick(burns, random) },
      incidents: [incident],
    };
    yield { story, objective, traffic, incident };
  }
}

const pick = <T>(all: readonly T[], random: Random): T => all[random.below(all.length)] as T;
const between = (low: number, high: number, random: Random): number =>
  low + (high - low) * random.next();

/** An incident deserves a page only with at least this many failures; fewer cannot be told from chance. */
const failuresLeast = 8;

function incidentOf(kind: StoryKind, rate: number, objective: number, random: Random): Incident {
  const base = {
    name: kind,
    kind,
    rampMs: 0,
    badMs: between(2, 5, random) * minuteMs,
    goodMs: between(3, 10, random) * minuteMs,
    traffic: 1,
    slos: [],
  };
  const drawn = drawnOf(kind, objective, random);
  const share = drawn.share ?? 0;
  const least = share > 0 ? ((failuresLeast / rate / share) * 1000) / drawn.active : 0;
  const lasts = drawn.expect === 'page' ? Math.max(drawn.forMs, least) : drawn.forMs;
  const forMs = Math.ceil(lasts / minuteMs) * minuteMs;
  const startMs =
    Date.UTC(2026, 0, 5) +
    warmMs +
    dayMs +
    Math.floor(random.next() * ((judgedMs - 4 * dayMs - forMs) / 1000)) * 1000;
  return {
    ...base,
    startMs,
    endMs: startMs + forMs,
    expect: drawn.expect,
    traffic: drawn.traffic ?? 1,
    rampMs: kind === 'brown-out' ? forMs / 3 : 0,
    ...(drawn.share === undefined ? {} : { share: drawn.share }),
  };
}

interface Drawn {
  forMs: number;
  expect: Expectation;
  share?: number;
  traffic?: number;
  /** Share of the incident's time in which events are bad. */
  active: number;
}

function drawnOf(kind: StoryKind, objective: number, random: Random): Drawn {
  const budget = budgetRatio(objective);
  const minutes = (low: number, high: number): number => between(low, high, random) * minuteMs;
  switch (kind) {
    case 'outage':
      return { forMs: minutes(10, 60), expect: 'page', share: between(0.3, 1, random), active: 1 };
    case 'brown-out': {
      const share = Math.min(0.5, between(20, 60, random) * budget);
      return { forMs: minutes(60, 240), expect: 'page', share, active: 0.6 };
    }
    case 'flapping':
      return {
        forMs: minutes(60, 180),
        expect: 'page',
        share: between(0.5, 1, random),
        active: 0.3,
      };
    case 'slow-burn': {
      const share = between(1.5, 2.8, random) * budget;
      return { forMs: minutes(24 * 60, 60 * 60), expect: 'ticket', share, active: 1 };
    }
    case 'deploy-spike':
      return { forMs: minutes(1, 3), expect: 'none', share: between(0.02, 0.1, random), active: 1 };
    case 'low-traffic':
      return {
        forMs: minutes(180, 480),
        expect: 'none',
        traffic: between(0.02, 0.2, random),
        active: 0,
      };
    case 'surge':
      return {
        forMs: minutes(30, 120),
        expect: 'none',
        traffic: between(3, 20, random),
        active: 0,
      };
    case 'data-gap':
      return { forMs: minutes(10, 40), expect: 'no-data', active: 0 };
  }
}
