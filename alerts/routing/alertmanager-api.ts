/** A running Alertmanager: its alerts and silences. */
import type { Fetch } from '../../base/access.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';
import type { ActiveSilence } from './evaluate.js';
import { type AlertLabels, type AlertMatcher, matcherOf } from './matchers.js';

const timeoutMs = 10_000;

export interface AmSilence {
  id?: string;
  matchers: { name: string; value: string; isRegex: boolean; isEqual: boolean }[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  status?: { state: 'active' | 'pending' | 'expired' };
}

export interface AmAlert {
  fingerprint: string;
  labels: AlertLabels;
  annotations?: Record<string, string>;
  startsAt: string;
  status: { state: string; silencedBy: string[]; inhibitedBy: string[] };
  receivers: { name: string }[];
}

export interface AmGroup {
  labels: AlertLabels;
  receiver: { name: string };
  alerts: AmAlert[];
}

export class AlertmanagerApi {
  readonly #base: string;
  readonly #fetch: Fetch;

  constructor(url: string, fetcher: Fetch = fetch) {
    this.#fetch = fetcher;
    if (!/^https?:\/\//.test(url)) {
      throw new UserError({ message: `--alertmanager ${url}`, expected: 'http://host:9093' });
    }
    this.#base = `${url.replace(/\/+$/, '')}/api/v2`;
  }

  silences(): Promise<AmSilence[]> {
    return this.#ask('GET', '/silences');
  }

  alerts(): Promise<AmAlert[]> {
    return this.#ask('GET', '/alerts');
  }

  /** The groups of alerts, each with its receiver. */
  groups(): Promise<AmGroup[]> {
    return this.#ask('GET', '/alerts/groups');
  }

  async receivers(): Promise<string[]> {
    return (await this.#ask<{ name: string }[]>('GET', '/receivers')).map((r) => r.name);
  }

  /** The version, and the active configuration without secrets. */
  async status(): Promise<{ version: string; config: string }> {
    const answer = await this.#ask<{
      versionInfo: { version: string };
      config: { original: string };
    }>('GET', '/status');
    return { version: answer.versionInfo.version, config: answer.config.original };
  }

  /**
   * Creates a silence. With an id, changes that silence; Alertmanager expires one that has begun and makes a new one.
   */
  async createSilence(silence: AmSilence): Promise<string> {
    const answer = await this.#ask<{ silenceID: string }>('POST', '/silences', silence);
    return answer.silenceID;
  }

  async expireSilence(id: string): Promise<void> {
    await this.#ask('DELETE', `/silence/${encodeURIComponent(id)}`);
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response: Response;
    try {
      response = await this.#fetch(this.#base + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch (error) {
      const why = whyUnanswered(error);
      throw new UserError(`${this.#base} does not answer: ${why}`, exitCode.environment);
    }
    const text = await response.text();
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
    if (response.status === 404 && method === 'DELETE') {
      throw new UserError('there is no such silence');
    }
    throw new UserError(
      `${method} ${this.#base}${path} answered ${response.status}: ${text.trim().slice(0, 300)}`,
      exitCode.environment,
    );
  }
}

export function matchersOfSilence(silence: AmSilence): AlertMatcher[] {
  return silence.matchers.map(({ name, value, isRegex, isEqual }) =>
    matcherOf(
      name,
      isRegex ? (isEqual === false ? '!~' : '=~') : isEqual === false ? '!=' : '=',
      value,
    ),
  );
}

export const toSilenceMatcher = (m: AlertMatcher): AmSilence['matchers'][number] => ({
  name: m.name,
  value: m.value,
  isRegex: m.op.endsWith('~'),
  isEqual: !m.op.startsWith('!'),
});

/** The silences in force at a moment. */
export function silencesAt(silences: readonly AmSilence[], atMs: number): ActiveSilence[] {
  return silences
    .filter((s) => s.status?.state !== 'expired')
    .filter((s) => Date.parse(s.startsAt) <= atMs && atMs < Date.parse(s.endsAt))
    .map((s) => ({
      id: s.id ?? '',
      comment: s.comment,
      createdBy: s.createdBy,
      endsAt: s.endsAt,
      matchers: matchersOfSilence(s),
    }));
}
