/** Searches for a story in which an edited rule behaves differently from the original. */
import type { ReadRule } from '../../rules/read.js';
import { type Affected, withRule } from './affected.js';
import type { Mutation } from './mutations.js';
import { Effort, type Story, timeline } from './story.js';
import { inventedStories, variantsOf } from './variants.js';

export interface Difference {
  story: Story;
  /** The first evaluation with a difference. */
  step: number;
  /** Whether the original rule fires in that evaluation. */
  fires: boolean;
}

/** Limits for one rule: the number of stories, and of evaluations over all of them (some seconds). */
const storiesMax = 500;
const stepsMax = 150_000;

export interface ToldApart {
  /** The difference found for each mutation; undefined where no story shows one. */
  differences: (Difference | undefined)[];
  /**
   * Whether the rule fired in some story and stayed quiet in another; if not, the absence of a difference proves
   * nothing.
   */
  judged: boolean;
}

export function tellApart(
  target: ReadRule,
  mutations: readonly Mutation[],
  bases: readonly Story[],
  affected: Affected,
  closedRanges: boolean,
): ToldApart {
  const differences: (Difference | undefined)[] = mutations.map(() => undefined);
  const { groups } = affected;
  const edited = mutations.map((m) => withRule(groups, target, m.rule));
  const effort = new Effort();
  const known = new Map<Story, string[]>();
  const original = (story: Story): string[] => {
    let texts = known.get(story);
    if (!texts) known.set(story, (texts = timeline(story, groups, affected, undefined, effort)));
    return texts;
  };
  const burning = (story: Story): number =>
    timeline(story, groups, affected, undefined, effort).reduce(
      (sum, text) => sum + (says(text) ? 1 : 0),
      0,
    );
  let [fired, quiet, count] = [false, false, 0];
  const stories = bases.length > 0 ? bases : inventedStories(groups, closedRanges);
  for (const story of variantsOf(stories, groups, burning)) {
    const spent = count++ >= storiesMax || effort.steps > stepsMax;
    if (spent || differences.every(Boolean)) break;
    const texts = original(story);
    fired ||= texts.some(says);
    quiet ||= texts.some((text) => text === '');
    edited.forEach((rules, i) => {
      if (differences[i]) return;
      const other = timeline(story, rules, affected, texts, effort);
      const step = other.length - 1;
      if (step < 0 || other[step] === texts[step]) return;
      // A test for promtool cannot expect a failing rule, so the original must not fail up to the difference.
      if (texts.slice(0, step + 1).some((text) => text.startsWith('error: '))) return;
      differences[i] = { story, step, fires: says(texts[step] as string) };
    });
    known.delete(story);
  }
  return { differences, judged: fired && quiet };
}

const says = (text: string): boolean => text !== '' && !text.startsWith('error: ');
