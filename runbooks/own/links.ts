/**
 * Checks links to the web, a few at a time: a link is dead if its page is not found, or its server cannot be reached.
 */
import { messageOf, type Problem } from '../../base/errors.js';
import type { Link } from './lint.js';

const atOnce = 8;
const limitMs = 8000;
const maxLinks = 500;

/** Asks each address once. An address that answers with a refusal (401, 403, 429) or a server error (5xx) exists. */
export async function deadLinks(links: readonly Link[]): Promise<Problem[]> {
  const urls = [...new Set(links.map((l) => l.url.replace(/#.*$/, '')))].slice(0, maxLinks);
  const dead = new Map<string, string>();
  const next = urls[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (const url of next) {
      const why = await whyDead(url);
      if (why !== undefined) dead.set(url, why);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return links.flatMap(({ url, place }) => {
    const why = dead.get(url.replace(/#.*$/, ''));
    return why === undefined ? [] : [{ place, message: `the link is dead: ${url} ${why}` }];
  });
}

async function whyDead(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
    await response.body?.cancel();
    return response.status === 404 || response.status === 410
      ? `answers ${response.status}`
      : undefined;
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException) : undefined;
    return `cannot be reached: ${cause?.code ?? messageOf(error)}`;
  }
}
