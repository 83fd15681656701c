/** Makes the embedded watch follow a user's Alertmanager configuration, with the same decisions as the real one. */
import type { Clock } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import { silencesAt } from '../routing/alertmanager-api.js';
import { type AmConfig, readAmConfig } from '../routing/config.js';
import { type ActiveSilence, type Decision, decide, type Delivery } from '../routing/evaluate.js';
import { silenceWords } from '../routing/silence-file.js';
import { atTimeScale, intervalsObeyed } from '../routing/time-scale.js';
import type { AlertmanagerOptions } from './model.js';
import type { AlertUpdate, Routes, TakenRoute } from './notifier.js';
import type { Seen } from './standing.js';
import { type Sink, sinksOf, templateFiles } from './sunk-config.js';

export interface OwnAlertmanager {
  file: string;
  /** The configuration at the drill's time scale. */
  config: AmConfig;
  sinks: readonly Sink[];
  /** Silences that are in force throughout the drill. */
  silences: readonly ActiveSilence[];
  /** Differences from production, one sentence each. */
  remarks: readonly string[];
}

/** Reads and checks the configuration; throws a UserError with every mistake. Secrets are not read. */
export function readOwnAlertmanager(options: AlertmanagerOptions): OwnAlertmanager {
  const { file, timeScale, pretendedMs } = options;
  const written = options.config ?? readAmConfig(file);
  const sinks = sinksOf(written);
  const config = atTimeScale(written, {
    timeScale,
    ...(pretendedMs === undefined ? {} : { pretendedMs }),
  });
  const silences = silencesAt(options.silences ?? [], pretendedMs ?? Date.now());
  const over = (options.silences?.length ?? 0) - silences.length;
  const remarks = remarksOn(written, sinks, options);
  if (over > 0) remarks.push(`${over} of the silences are not in force, and are left out`);
  return { file, config, sinks, silences, remarks };
}

function remarksOn(
  config: AmConfig,
  sinks: readonly Sink[],
  { file, pretendedMs }: AlertmanagerOptions,
): string[] {
  const remarks: string[] = [];
  const obeyed = intervalsObeyed(config.route);
  if (obeyed.length > 0) {
    const when =
      pretendedMs === undefined
        ? 'as of now, not scaled'
        : `as of ${new Date(pretendedMs).toISOString()} all along`;
    remarks.push(`time intervals (${obeyed.join(', ')}) are judged ${when}`);
  }
  for (const sink of sinks) {
    if (sink.inPlaceOf === undefined) continue;
    remarks.push(`${sink.receiver}: a webhook stands in for its ${sink.inPlaceOf}`);
  }
  if (sinks.some((s) => s.integration === 'slack' && s.fields.message_text !== undefined)) {
    remarks.push("slack's message_text is left out: its attachment is sent instead");
  }
  for (const pattern of templateFiles(config, file).missing) {
    remarks.push(`templates: ${pattern} matches no file`);
  }
  return remarks;
}

const decisionsMax = 20_000;

/** The routes of a configuration that is already at the drill's time scale. */
export class OwnRoutes implements Routes {
  readonly #config: AmConfig;
  readonly #sinks: readonly Sink[];
  readonly #silences: readonly ActiveSilence[];
  readonly #clock: Clock;
  readonly #taken = new Map<string, TakenRoute[]>();

  constructor({ config, sinks, silences }: OwnAlertmanager, clock: Clock) {
    this.#silences = silences;
    this.#config = config;
    this.#sinks = sinks;
    this.#clock = clock;
  }

  routesOf(labels: Readonly<Record<string, string>>): readonly TakenRoute[] {
    const key = JSON.stringify(Object.entries(labels).sort());
    let taken = this.#taken.get(key);
    if (!taken) {
      if (this.#taken.size >= decisionsMax) this.#taken.clear();
      taken = this.decide(labels, []).deliveries.map(takenRoute);
      this.#taken.set(key, taken);
    }
    return taken;
  }

  outletsOf(receiver: string) {
    return this.#sinks
      .map((sink, number) => ({ sink, number }))
      .filter(({ sink }) => sink.receiver === receiver)
      .map(({ sink, number }) => this.#outlet(number, sink.sendsResolved));
  }

  isHeld(alert: AlertUpdate, route: TakenRoute, firing: Iterable<AlertUpdate>): boolean {
    const { inhibited, silenced, deliveries } = this.decide(alert.labels, firing);
    if (inhibited || silenced) return true;
    const own = deliveries.find(
      (d) => d.receiver === route.receiver && takenRoute(d).key === route.key,
    );
    return own?.mutedBy !== undefined;
  }

  decide(
    labels: Readonly<Record<string, string>>,
    firing: Iterable<Pick<AlertUpdate, 'labels'>>,
  ): Decision {
    return decide(this.#config, labels, {
      atMs: this.#clock.nowMs(),
      firing: Array.from(firing, (alert) => alert.labels),
      silences: this.#silences,
    });
  }

  readonly #outlets = new Map<number, { number: number; sendsResolved: boolean }>();

  /** Returns the same object each time, because it identifies the outlet's last notification. */
  #outlet(number: number, sendsResolved: boolean) {
    const outlet = this.#outlets.get(number) ?? { number, sendsResolved };
    this.#outlets.set(number, outlet);
    return outlet;
  }
}

function takenRoute(delivery: Delivery): TakenRoute {
  const ms = (text: string): number => parseDurationMs(text) ?? 0;
  return {
    key: delivery.path.map((step) => step.key).join('/'),
    receiver: delivery.receiver,
    grouping: {
      by: delivery.groupBy,
      waitMs: ms(delivery.groupWait),
      intervalMs: ms(delivery.groupInterval),
      repeatMs: ms(delivery.repeatInterval),
    },
  };
}

/** The parts of a decision that a verdict on the alert needs. */
export function seenOf({ labels, inhibited, silenced, deliveries }: Decision): Seen {
  const muted = deliveries.filter((d) => d.mutedBy !== undefined);
  return {
    labels,
    receivers: [...new Set(deliveries.map((d) => d.receiver))],
    ...(inhibited && {
      inhibitedBy: `${inhibited.by.alertname ?? 'an alert'} (inhibit rule ${inhibited.rule})`,
    }),
    ...(silenced && { silencedBy: silenceWords(silenced) }),
    mutedBy: Object.fromEntries(muted.map((d) => [d.receiver, d.mutedBy as string])),
    waitMs: Object.fromEntries(
      deliveries.map((d) => [d.receiver, parseDurationMs(d.groupWait) ?? 0]),
    ),
  };
}

/** The receivers that notify somebody. */
export const tellingOf = ({ sinks }: OwnAlertmanager): Set<string> =>
  new Set(sinks.map((sink) => sink.receiver));
