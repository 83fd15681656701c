/** One page that watches: it has been told so many events, of such a day. */
import type { ServerResponse } from 'node:http';
import type { Follow } from './follow.js';

/** One batch, so that a page that just came does not wait for all of a long day. */
const batch = 2000;

export class Viewer {
  readonly #response: ServerResponse;
  #told = 0;
  #generation = 0;
  #trouble: string | undefined;
  #waits = false;

  /** `hello` is told first. The head of the answer has been written. */
  constructor(response: ServerResponse, hello: unknown) {
    this.#response = response;
    response.write(`event: hello\ndata: ${JSON.stringify(hello)}\n\n`);
    response.on('drain', () => (this.#waits = false));
  }

  /** A page that does not read is told later, and never has more than one batch waiting. */
  tell(follow: Follow, trouble: string | undefined): void {
    if (this.#waits) return;
    if (follow.generation !== this.#generation) {
      this.#generation = follow.generation;
      this.#told = 0;
      this.#write('reset', '{}');
    }
    if (trouble !== this.#trouble) this.#write('trouble', JSON.stringify(trouble ?? ''));
    this.#trouble = trouble;
    const fresh = follow.events.slice(this.#told, this.#told + batch);
    if (fresh.length === 0) return;
    this.#told += fresh.length;
    this.#write('events', JSON.stringify(fresh));
  }

  ping(): void {
    if (!this.#waits) this.#waits = !this.#response.write(': still here\n\n');
  }

  #write(event: string, data: string): void {
    this.#waits = !this.#response.write(`event: ${event}\ndata: ${data}\n\n`) || this.#waits;
  }

  end(): void {
    this.#response.end();
  }
}
