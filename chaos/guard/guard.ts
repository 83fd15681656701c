/**
 * Decides by the guard of a firedrill.yaml whether its system may be broken now, one question at a time: before any
 * start, and again before each scenario's first fault. A question that cannot be answered counts as a refusal.
 */
import { boundedJson } from '../../base/bounded-answer.js';
import { type Access, fetchWith, readAccess } from '../../base/access.js';
import { type Clock, realClock } from '../../base/clock.js';
import { exitCode, formatProblem, messageOf, type Place, UserError } from '../../base/errors.js';
import { wakes } from '../../runbooks/pager.js';
import type { Slo } from '../../slo/index.js';
import { PrometheusClient } from '../../slo/budget/prometheus.js';
import { emptyText } from '../../slo/budget/gate.js';
import { budgetState } from '../../slo/budget/state.js';
import { percentText, timeText } from '../../runbooks/words.js';
import { failureOf, runCommand } from '../faults/run-command.js';
import { type AccessSpec, accessFiles } from '../system/access-schema.js';
import { type Excess, excessOf, type Strikable } from './blast-radius.js';
import { type GuardSpec, weekdays } from './guard-schema.js';

export interface GuardAnswer {
  /** The field of firedrill.yaml: `hours`, `production.budgetLeft`. */
  field: string;
  held: boolean;
  text: string;
}

export interface Guarded {
  guard: GuardSpec;
  /** The drill's name, which the user must type as confirmation. */
  name: string;
  /** The folder in which commands run. */
  folder: string;
  placeOf(path: readonly string[]): Place;
  slos: readonly Slo[];
  /** The longest duration of the remaining run, in real milliseconds. */
  lengthMs: number;
}

const limitMs = 10_000;
const outputMax = 64 * 1024;
const shownMax = 3;

export class Guard {
  readonly #drill: Guarded;
  readonly #clock: Clock;

  constructor(drill: Guarded, clock: Clock = realClock) {
    this.#drill = drill;
    this.#clock = clock;
  }

  /** Throws a UserError (usage) unless `given` is the name that the guard requires. */
  confirmed(given: string | undefined): void {
    const { guard, name } = this.#drill;
    if (!guard.confirm || given === name) return;
    const typed = given === undefined ? '' : `, not --confirm ${given}`;
    throw new UserError({
      place: this.#drill.placeOf(['guard', 'confirm']),
      message: `${name} is broken only with --confirm ${name}${typed}`,
    });
  }

  /** Returns the confirmation that a run will require, for a plan. */
  conditions(): GuardAnswer[] {
    const { guard, name } = this.#drill;
    const text = `gameday run is refused without --confirm ${name}`;
    return guard.confirm ? [{ field: 'confirm', held: true, text }] : [];
  }

  /** Returns the ceiling that these targets together exceed; undefined if one scenario may strike all of them. */
  excess(system: Strikable, targets: readonly string[]): (Excess & { place: Place }) | undefined {
    const excess = excessOf(this.#drill.guard, system, targets);
    return excess && { ...excess, place: this.#drill.placeOf(['guard', excess.field]) };
  }

  /** Asks every question of the guard except the confirmation now. Never throws. */
  async answers(lengthMs = this.#drill.lengthMs): Promise<GuardAnswer[]> {
    const { guard } = this.#drill;
    const { production, incidents } = guard;
    const answers: GuardAnswer[] = [];
    if (guard.days || guard.hours !== undefined) answers.push(...this.#times(lengthMs));
    if (incidents) answers.push(await this.#asked('incidents', () => this.#incidents(incidents)));
    if (!production) return answers;
    if (production.pages === 'refused') {
      answers.push(await this.#asked('production', () => this.#pages(production)));
    }
    const { budgetLeft, prometheus } = production;
    if (budgetLeft !== undefined && prometheus !== undefined) {
      const left = (): Promise<[boolean, string]> => this.#budget(prometheus, budgetLeft);
      answers.push(await this.#asked('production.budgetLeft', left));
    }
    return answers;
  }

  /** Returns `firedrill.yaml:12:10: ...` for each refused question. */
  async refusals(lengthMs?: number): Promise<string[]> {
    const answers = await this.answers(lengthMs);
    return answers
      .filter((answer) => !answer.held)
      .map(({ field, text }) => formatProblem({ place: this.#placeOf(field), message: text }));
  }

  /** Throws a UserError (aborted) if a question is refused. */
  async refuse(): Promise<void> {
    const refusals = await this.refusals();
    if (refusals.length === 0) return;
    throw new UserError(
      refusals.map((text) => ({ message: `the guard refuses: ${text}` })),
      exitCode.aborted,
    );
  }

  #placeOf(field: string): Place {
    return this.#drill.placeOf(['guard', ...field.split('.')]);
  }

  async #asked(field: string, ask: () => Promise<[boolean, string]>): Promise<GuardAnswer> {
    try {
      const [held, text] = await ask();
      return { field, held, text };
    } catch (error) {
      return { field, held: false, text: `it cannot be asked: ${messageOf(error)}` };
    }
  }

  #times(lengthMs: number): GuardAnswer[] {
    const { guard } = this.#drill;
    const answers: GuardAnswer[] = [];
    const zone = guard.timeZone === undefined ? '' : ` in ${guard.timeZone}`;
    const from = localTime(this.#clock.nowMs(), guard.timeZone);
    const to = localTime(this.#clock.nowMs() + lengthMs, guard.timeZone);
    if (guard.days) {
      const held = guard.days.includes(from.day) && guard.days.includes(to.day);
      const text = held
        ? `it is ${from.day}${zone}`
        : `it is ${from.day}${zone}, and drills are run on ${guard.days.join(', ')}`;
      answers.push({ field: 'days', held, text });
    }
    if (guard.hours !== undefined) {
      const [open = '', shut = ''] = guard.hours.split('-');
      const begins = within(from.minutes, minutesOf(open), minutesOf(shut));
      const ends = endsInTime(from.minutes, lengthMs, minutesOf(open), minutesOf(shut));
      const now = `it is ${from.text}${zone}`;
      const text = !begins
        ? `${now}, and drills are run from ${open} to ${shut}`
        : ends
          ? now
          : `${now}, and what takes up to ${timeText(lengthMs)} is not over by ${shut}`;
      answers.push({ field: 'hours', held: begins && ends, text });
    }
    return answers;
  }

  async #incidents(command: readonly string[]): Promise<[boolean, string]> {
    const end = await runCommand({
      argv: command,
      folder: this.#drill.folder,
      limitMs,
      keptBytes: outputMax,
    });
    const failure = failureOf(end);
    if (failure !== undefined) throw new Error(failure);
    const open = end.stdout.split('\n').filter((line) => line.trim() !== '');
    return [open.length === 0, open.length === 0 ? 'no incident is open' : `open: ${few(open)}`];
  }

  async #pages(production: NonNullable<GuardSpec['production']>): Promise<[boolean, string]> {
    const { alertmanager, prometheus } = production;
    const firing =
      alertmanager === undefined
        ? await firingAt(this.#prometheus(prometheus as AccessSpec), this.#clock.nowMs())
        : await firingIn(this.#access('the Alertmanager', alertmanager));
    const pages = firing.filter(({ severity = 'none' }) => wakes(severity));
    const names = [...new Set(pages.map((labels) => labels.alertname ?? 'an alert'))];
    return [names.length === 0, names.length === 0 ? 'no page fires' : `firing: ${few(names)}`];
  }

  #access(what: string, spec: AccessSpec): Access {
    return readAccess(what, accessFiles(spec, this.#drill.folder));
  }

  #prometheus(spec: AccessSpec): PrometheusClient {
    const access = this.#access('the Prometheus', spec);
    return new PrometheusClient(access.url, limitMs, fetchWith(access));
  }

  async #budget(spec: AccessSpec, atLeast: number): Promise<[boolean, string]> {
    const prometheus = this.#prometheus(spec);
    const atMs = this.#clock.nowMs();
    const low: string[] = [];
    for (const slo of this.#drill.slos) {
      const state = await budgetState(slo, prometheus, { atMs });
      const empty = emptyText(state);
      if (empty !== undefined) return [false, empty];
      const left = Math.min(state.rolling.remaining, state.worst?.remaining ?? Infinity);
      if (left < atLeast) low.push(`${slo.id} has ${percentText(left)}`);
    }
    const bound = percentText(atLeast);
    if (low.length > 0) return [false, `${few(low)} of its budget left, and ${bound} are needed`];
    if (this.#drill.slos.length === 0) return [false, 'no SLO is given, whose budget it could be'];
    return [true, `every SLO has ${bound} of its budget left`];
  }
}

const few = (names: readonly string[]): string =>
  names.length > shownMax
    ? `${names.slice(0, shownMax).join('; ')}; and ${names.length - shownMax} more`
    : names.join('; ');

type Labels = Record<string, string | undefined>;

const firingAt = async (prometheus: PrometheusClient, nowMs: number): Promise<Labels[]> =>
  (await prometheus.query('ALERTS{alertstate="firing"}', nowMs)).map((s) => s.labels);

/** Returns the alerts of which people are notified: neither silenced nor inhibited ones. */
async function firingIn(alertmanager: Access): Promise<Labels[]> {
  const url = `${alertmanager.url}/api/v2/alerts?active=true&silenced=false&inhibited=false`;
  const response = await fetchWith(alertmanager)(url, { signal: AbortSignal.timeout(limitMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const alerts: unknown = await boundedJson(response);
  if (!Array.isArray(alerts)) throw new Error(`${url} did not answer with a list of alerts`);
  return alerts.map((alert: { labels?: Labels }) => alert.labels ?? {});
}

interface LocalTime {
  day: (typeof weekdays)[number];
  minutes: number;
  text: string;
}

export function localTime(atMs: number, timeZone: string | undefined): LocalTime {
  const parts = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(timeZone !== undefined && { timeZone }),
  }).formatToParts(atMs);
  const part = (type: string): string => parts.find((p) => p.type === type)?.value ?? '';
  const text = `${part('hour')}:${part('minute')}`;
  const day = weekdays.find((d) => d === part('weekday').toLowerCase()) ?? 'sun';
  return { day, minutes: minutesOf(text), text };
}

const minutesOf = (text: string): number => {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
};

/** A window such as `22:00-04:00` spans midnight. */
const within = (minutes: number, open: number, shut: number): boolean =>
  open < shut ? minutes >= open && minutes < shut : minutes >= open || minutes < shut;

const dayMinutes = 1440;

/** Whether a run of this length that starts at `minutes`, within the window, ends before the window closes. */
const endsInTime = (minutes: number, lengthMs: number, open: number, shut: number): boolean => {
  const left = (shut - minutes + dayMinutes) % dayMinutes;
  const whole = open === shut ? Infinity : left;
  return lengthMs / 60_000 <= whole;
};
