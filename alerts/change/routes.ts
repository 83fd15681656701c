/** A configuration's routes, parsed once, because months of alerts ask for them a million times. */
import type { Clock } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import type { AmConfig, AmRoute } from '../routing/config.js';
import { integrationsOf } from '../routing/integrations.js';
import { type AlertLabels, allMatch, type AlertMatcher, matchersOf } from '../routing/matchers.js';
import { contains } from '../routing/time-intervals.js';
import type { AlertUpdate, Outlet, Routes, TakenRoute } from '../watch/notifier.js';

interface Node {
  matchers: AlertMatcher[];
  /** The route as the notifier knows it; its key is the readable path from the root. */
  taken: TakenRoute;
  continues: boolean;
  mute: string[];
  active: string[];
  children: Node[];
  /** Whether the route's time intervals mute it, cached for one minute. */
  held: { minute: number; is: boolean };
}

interface Inhibition {
  source: AlertMatcher[];
  target: AlertMatcher[];
  equal: readonly string[];
}

interface Seen {
  nodes: Node[];
  isSource: boolean[];
  isTarget: boolean[];
}

const minuteMs = 60_000;

export class CompiledRoutes implements Routes {
  readonly #config: AmConfig;
  readonly #clock: Clock;
  readonly #root: Node;
  readonly #inhibitions: Inhibition[];
  readonly #outlets: Map<string, Outlet[]>;
  readonly #seen = new Map<string, Seen>();
  /** The same results cached by object, because an alert is looked up at every flush of its group. */
  readonly #recent = new WeakMap<AlertLabels, Seen>();

  constructor(config: AmConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const standard = { group_wait: '30s', group_interval: '5m', repeat_interval: '4h' };
    this.#root = nodeOf({ ...standard, ...defined(config.route) }, undefined, 'root', {});
    this.#inhibitions = (config.inhibit_rules ?? []).map((rule) => ({
      source: matchersOf(rule.source_matchers, rule.source_match, rule.source_match_re),
      target: matchersOf(rule.target_matchers, rule.target_match, rule.target_match_re),
      equal: rule.equal ?? [],
    }));
    // A receiver counts as one outlet here, however many integrations it has.
    this.#outlets = new Map(
      config.receivers.map((receiver, number) => {
        const ways = integrationsOf(receiver);
        const outlet = { number, sendsResolved: ways.some((w) => w.sendsResolved) };
        return [receiver.name, ways.length > 0 ? [outlet] : []];
      }),
    );
  }

  routesOf(labels: AlertLabels): readonly TakenRoute[] {
    return this.#of(labels).nodes.map((n) => n.taken);
  }

  outletsOf(receiver: string): readonly Outlet[] {
    return this.#outlets.get(receiver) ?? [];
  }

  isHeld(alert: AlertUpdate, route: TakenRoute, firing: Iterable<AlertUpdate>): boolean {
    const seen = this.#of(alert.labels);
    const node = seen.nodes.find((n) => n.taken === route);
    return (node !== undefined && this.#isMuted(node)) || this.#isInhibited(alert, seen, firing);
  }

  #isInhibited(alert: AlertUpdate, seen: Seen, firing: Iterable<AlertUpdate>): boolean {
    if (!seen.isTarget.some(Boolean)) return false;
    for (const other of firing) {
      const by = this.#of(other.labels);
      const held = this.#inhibitions.some(
        ({ equal }, i) =>
          seen.isTarget[i] &&
          by.isSource[i] &&
          // Alertmanager: an alert that matches both sides of a rule is not inhibited by another that does.
          !(seen.isSource[i] && by.isTarget[i]) &&
          equal.every((n) => (other.labels[n] ?? '') === (alert.labels[n] ?? '')),
      );
      if (held) return true;
    }
    return false;
  }

  #isMuted(node: Node): boolean {
    if (node.mute.length === 0 && node.active.length === 0) return false;
    const minute = Math.floor(this.#clock.nowMs() / minuteMs);
    if (node.held.minute === minute) return node.held.is;
    const { time_intervals: named = [], mute_time_intervals: older = [] } = this.#config;
    const isIn = (name: string): boolean =>
      [...named, ...older].some(
        (i) => i.name === name && i.time_intervals.some((t) => contains(t, minute * minuteMs)),
      );
    const is = node.mute.some(isIn) || (node.active.length > 0 && !node.active.some(isIn));
    node.held = { minute, is };
    return is;
  }

  #of(labels: AlertLabels): Seen {
    const recent = this.#recent.get(labels);
    if (recent) return recent;
    const key = JSON.stringify(Object.entries(labels).sort());
    let seen = this.#seen.get(key);
    if (!seen) {
      seen = {
        nodes: takers(this.#root, labels),
        isSource: this.#inhibitions.map((rule) => allMatch(rule.source, labels)),
        isTarget: this.#inhibitions.map((rule) => allMatch(rule.target, labels)),
      };
      this.#seen.set(key, seen);
    }
    this.#recent.set(labels, seen);
    return seen;
  }
}

function takers(node: Node, labels: AlertLabels): Node[] {
  const below: Node[] = [];
  for (const child of node.children) {
    if (!allMatch(child.matchers, labels)) continue;
    below.push(...takers(child, labels));
    if (!child.continues) break;
  }
  return below.length > 0 ? below : [node];
}

const defined = (route: AmRoute): AmRoute =>
  Object.fromEntries(Object.entries(route).filter(([, value]) => value !== undefined));

function nodeOf(
  route: AmRoute,
  parent: TakenRoute | undefined,
  path: string,
  named: Record<string, number>,
): Node {
  const ms = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseDurationMs(text);
  const above = parent?.grouping;
  const grouping = {
    by: route.group_by ?? above?.by ?? [],
    waitMs: ms(route.group_wait) ?? above?.waitMs ?? 0,
    intervalMs: ms(route.group_interval) ?? above?.intervalMs ?? 0,
    repeatMs: ms(route.repeat_interval) ?? above?.repeatMs ?? 0,
  };
  const receiver = route.receiver ?? parent?.receiver ?? '';
  const taken: TakenRoute = { key: path, receiver, grouping };
  const children = (route.routes ?? []).map((child) =>
    nodeOf(child, taken, pathBelow(path, child, named), named),
  );
  return {
    matchers: matchersOf(route.matchers, route.match, route.match_re),
    taken,
    continues: route.continue === true,
    mute: route.mute_time_intervals ?? [],
    active: route.active_time_intervals ?? [],
    children,
    held: { minute: NaN, is: false },
  };
}

/** The matchers of a route, as people read them. */
export const textOf = (route: AmRoute): string =>
  `{${matchersOf(route.matchers, route.match, route.match_re)
    .map((m) => m.text)
    .join(', ')}}`;

/**
 * The path of a child route, by which changes and notifications name it. `named` counts equal paths, so that the
 * second becomes `path #2`.
 */
export function pathBelow(path: string, child: AmRoute, named: Record<string, number>): string {
  const below = `${path} > ${textOf(child)}`;
  const count = (named[below] ?? 0) + 1;
  named[below] = count;
  return count === 1 ? below : `${below} #${count}`;
}
