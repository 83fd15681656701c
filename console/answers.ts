/** What a part of the console answers: asked once for all viewers, and kept for a moment. */
import { messageOf } from '../base/errors.js';

/** Reads one view's figures; throws a UserError where its source does not answer. */
export type Reader = (query: URLSearchParams) => Promise<unknown>;

export interface Answer {
  atMs: number;
  value?: unknown;
  /** Why there is none. */
  error?: string;
}

/** Twenty viewers ask a source as often as one does. */
const keptMs = 1500;
const maxKept = 200;
/** A reader that hangs keeps nobody waiting for longer. */
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

  /** Never rejects. `part` is one that there is. */
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
