/** Fetches a view's figures from the server repeatedly, and says when they are loading, stale or failed. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Answer } from '../answers.js';
import { Drawn } from './drawn.js';
import { clock } from './words.js';

interface Told<T> {
  value: T;
  atMs: number;
}

interface FromProps<T> {
  /** Such as `now`; with its query, such as `slo?id=cart`. */
  from: string;
  /** 0: once. */
  everyMs: number;
  children: (value: T) => ComponentChildren;
}

/** The last answer is shown until a newer one comes. */
export function From<T>({ from, everyMs, children }: FromProps<T>) {
  const [told, setTold] = useState<Told<T> | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    setTold(undefined);
    setError(undefined);
    const ask = async (): Promise<void> => {
      const answer = await answerOf(from);
      if (over) return;
      setError(answer.error);
      if (answer.error === undefined) setTold({ value: answer.value as T, atMs: answer.atMs });
      if (everyMs > 0) timer = setTimeout(() => void ask(), everyMs);
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [from, everyMs]);
  return (
    <>
      <div role="status">
        {error !== undefined && told !== undefined && (
          <p class="stale">
            Stale: as of {clock(told.atMs)} UTC. Since then: {error}
          </p>
        )}
        {error !== undefined && told === undefined && <p class="stale">No data: {error}</p>}
        {error === undefined && told === undefined && <p class="empty">Loading …</p>}
      </div>
      {told !== undefined && <Drawn of={told.value} draw={children} />}
    </>
  );
}

async function answerOf(from: string): Promise<Answer> {
  try {
    const response = await fetch(`/data/${from}`);
    if (response.ok) return (await response.json()) as Answer;
    return { atMs: Date.now(), error: (await response.text()).trim() };
  } catch {
    return { atMs: Date.now(), error: 'the console does not answer' };
  }
}
