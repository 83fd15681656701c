/** Caches the answer of each part of the console for a moment, so that all viewers share one request to the source. */
import { messageOf } from '../base/errors.js';

/** Reads one view's figures; throws a UserError when its source does not answer. */
export type Reader = (query: URLSearchParams) => Promise<unknown>;

export interface Answer {
  atMs: number;
  value?: unknown;
  /** The reason for a missing value. */
  error?: string;
}

/** Twenty viewers cause as many requests to a source as one. */
const keptMs = 1500;
const maxKept = 200;
/** A reader that hangs is given up after this time. */
const limitMs = 20_000;

export class Answers {
  readonly #readers: ReadonlyMap<string, Reader>;
  readonly #kept = new Map<string, { untilMs: number; answer: Promise<Answer> }>();

  constructor(readers: ReadonlyMap<string, Reader>) {
    this.#readers = readers;
  }

  has(part: string): boolean {
    return this.#readers.has(part);
  }

  /** Never rejects. `part` must be an existing part. */
  of(part: string, query: URLSearchParams): Promise<Answer> {
    const key = `${part}?${query.toString()}`;
    const nowMs = performance.now();
    const before = this.#kept.get(key);
    if (before && nowMs < before.untilMs) return before.answer;
    const answer = read(this.#readers.get(part) as Reader, query);
    const entry = { untilMs: Infinity, answer };
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    void answer.then(() => (entry.untilMs = performance.now() + keptMs));
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
    return answer;
  }
}

async function read(reader: Reader, query: URLSearchParams): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `no answer within ${limitMs / 1000} s`;
    timer = setTimeout(() => reject(new Error(text)), limitMs);
  });
  try {
    const value = await Promise.race([reader(query), late]);
    return { atMs: Date.now(), value };
  } catch (error) {
    return { atMs: Date.now(), error: messageOf(error) };
  } finally {
    clearTimeout(timer);
  }
}
