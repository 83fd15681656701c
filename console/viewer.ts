/** One watching page: how many events of which day it has received. */
import type { ServerResponse } from 'node:http';
import type { DrillEvent } from '../runbooks/events.js';
import type { Follow } from './follow.js';
import { shownJson } from './page-document.js';

/** The size of one batch, so that a new page need not wait for a whole long day. */
const batch = 2000;

/** The page's first state, so that it draws before its stream has begun. */
export interface FirstState<Hello> {
  hello: Hello;
  /** The server's time: a browser's clock may differ from it. */
  atMs: number;
  generation: number;
  events: readonly DrillEvent[];
}

export const firstState = <Hello>(hello: Hello, follow: Follow): FirstState<Hello> => ({
  hello,
  atMs: Date.now(),
  generation: follow.generation,
  events: follow.events.slice(0, batch),
});

export class Viewer {
  readonly #response: ServerResponse;
  #told = 0;
  #generation = 0;
  #trouble: string | undefined;
  #waits = false;

  /**
   * Sends `hello` first, with the number of the page's events that are still valid. The response's head was written.
   */
  constructor(response: ServerResponse, hello: object, follow: Follow, had: URLSearchParams) {
    this.#response = response;
    this.#generation = follow.generation;
    const count = Number(had.get('had'));
    const isSame = had.get('generation') === String(follow.generation);
    const holds = isSame && Number.isInteger(count) && count >= 0;
    this.#told = holds ? Math.min(count, follow.events.length) : 0;
    const data = JSON.stringify({ ...hello, holds: this.#told, generation: this.#generation });
    response.write(`event: hello\ndata: ${data}\n\n`);
    response.on('drain', () => (this.#waits = false));
  }

  /** Sends new events; a page that does not read gets them later, and never has more than one batch waiting. */
  tell(follow: Follow, trouble: string | undefined): void {
    if (this.#waits) return;
    if (follow.generation !== this.#generation) {
      this.#generation = follow.generation;
      this.#told = 0;
      this.#write('reset', String(this.#generation));
    }
    if (trouble !== this.#trouble) this.#write('trouble', JSON.stringify(trouble ?? ''));
    this.#trouble = trouble;
    const fresh = follow.events.slice(this.#told, this.#told + batch);
    if (fresh.length === 0) return;
    this.#told += fresh.length;
    this.#write('events', shownJson(fresh));
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
