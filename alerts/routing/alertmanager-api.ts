/** A running Alertmanager: its alerts and silences. */
import * as z from 'zod';
import { boundedText } from '../../base/bounded-answer.js';
import { type Fetch, isWebAddress, splitAddress } from '../../base/access.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';
import type { ActiveSilence } from './evaluate.js';
import { type AlertMatcher, matcherOf } from './matchers.js';

const timeoutMs = 10_000;
const asJson = { 'content-type': 'application/json' };

const labels = z.record(z.string(), z.string());

const silence = z.object({
  id: z.string().optional(),
  matchers: z.array(
    z.object({
      name: z.string(),
      value: z.string(),
      isRegex: z.boolean(),
      /** Absent from Alertmanagers before 0.22, which knew no negative matchers. */
      isEqual: z.boolean().default(true),
    }),
  ),
  startsAt: z.string(),
  endsAt: z.string(),
  createdBy: z.string(),
  comment: z.string(),
  status: z.object({ state: z.enum(['active', 'pending', 'expired']) }).optional(),
});

const alert = z.object({
  fingerprint: z.string(),
  labels,
  annotations: labels.optional(),
  startsAt: z.string(),
  status: z.object({
    state: z.string(),
    silencedBy: z.array(z.string()),
    inhibitedBy: z.array(z.string()),
  }),
  receivers: z.array(z.object({ name: z.string() })),
});

const group = z.object({
  labels,
  receiver: z.object({ name: z.string() }),
  alerts: z.array(alert),
});

const status = z.object({
  versionInfo: z.object({ version: z.string() }),
  config: z.object({ original: z.string() }),
});

export type AmSilence = z.infer<typeof silence>;
export type AmAlert = z.infer<typeof alert>;
export type AmGroup = z.infer<typeof group>;

export class AlertmanagerApi {
  readonly #base: string;
  readonly #fetch: Fetch;
  readonly #headers: Record<string, string> = {};

  constructor(url: string, fetcher: Fetch = fetch) {
    this.#fetch = fetcher;
    if (!isWebAddress(url) || !URL.canParse(url)) {
      throw new UserError({ message: `--alertmanager ${url}`, expected: 'http://host:9093' });
    }
    const { url: plain, authorization } = splitAddress(url);
    if (authorization !== undefined) this.#headers.authorization = authorization;
    this.#base = `${plain}/api/v2`;
  }

  silences(): Promise<AmSilence[]> {
    return this.#ask(z.array(silence), '/silences');
  }

  alerts(): Promise<AmAlert[]> {
    return this.#ask(z.array(alert), '/alerts');
  }

  /** The groups of alerts, each with its receiver. */
  groups(): Promise<AmGroup[]> {
    return this.#ask(z.array(group), '/alerts/groups');
  }

  async receivers(): Promise<string[]> {
    const all = z.array(z.object({ name: z.string() }));
    return (await this.#ask(all, '/receivers')).map((r) => r.name);
  }

  /** The version, and the active configuration without secrets. */
  async status(): Promise<{ version: string; config: string }> {
    const { versionInfo, config } = await this.#ask(status, '/status');
    return { version: versionInfo.version, config: config.original };
  }

  /**
   * Creates a silence. With an id, changes that silence; Alertmanager expires one that has begun and makes a new one.
   */
  async createSilence(wanted: AmSilence): Promise<string> {
    const made = z.object({ silenceID: z.string() });
    return (await this.#ask(made, '/silences', 'POST', wanted)).silenceID;
  }

  async expireSilence(id: string): Promise<void> {
    await this.#ask(z.unknown(), `/silence/${encodeURIComponent(id)}`, 'DELETE');
  }

  async #ask<T>(
    schema: z.ZodType<T>,
    path: string,
    method: 'GET' | 'POST' | 'DELETE' = 'GET',
    body?: unknown,
  ): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(this.#base + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { ...this.#headers, ...(body !== undefined && asJson) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      text = await boundedText(response);
    } catch (error) {
      const why = whyUnanswered(error);
      throw new UserError(`${this.#base} does not answer: ${why}`, exitCode.environment);
    }
    if (response.status === 404 && method === 'DELETE') {
      throw new UserError('there is no such silence');
    }
    if (!response.ok) {
      throw new UserError(
        `${method} ${this.#base}${path} answered ${response.status}: ${text.trim().slice(0, 300)}`,
        exitCode.environment,
      );
    }
    const answer = schema.safeParse(jsonIn(text));
    if (answer.success) return answer.data;
    const type = response.headers.get('content-type') ?? 'no content type';
    throw new UserError(
      {
        message: `${this.#base}${path} answered ${response.status} (${type}), and not as an Alertmanager does`,
        expected: 'the address of an Alertmanager',
      },
      exitCode.environment,
    );
  }
}

/** Undefined for texts that are no JSON: an Alertmanager answers a deletion with nothing. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function matchersOfSilence({ matchers }: AmSilence): AlertMatcher[] {
  return matchers.map(({ name, value, isRegex, isEqual }) =>
    matcherOf(name, isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=', value),
  );
}

/** The silence's matchers as its author would write them: `a="b", c=~"d"`. */
export const silenceText = (silence: AmSilence): string =>
  matchersOfSilence(silence)
    .map((m) => m.text)
    .join(', ');

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
