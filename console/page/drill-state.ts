/** The drill that is shown: its events as they come, and the moment of it that the viewer looks at. */
import { computed, effect, signal } from '@preact/signals';
import type { DrillEvent } from '../../runbooks/events.js';
import { type ScenarioView, viewAt } from './view.js';

export interface Hello {
  mayStop: boolean;
  /** Parts of the console for which the server was given a source. */
  parts: string[];
}

export const events = signal<readonly DrillEvent[]>([]);
export const nowMs = signal(Date.now());
/** Undefined: follow the drill. */
export const chosenMs = signal<number | undefined>(undefined);
export const chosenScenario = signal<string | undefined>(undefined);
export const hello = signal<Hello>({ mayStop: false, parts: [] });
export const trouble = signal('');
export const connected = signal<boolean | undefined>(undefined);
/** When the kill switch was thrown from here, and what became of that. */
export const stopped = signal<{ atMs: number; refused?: string } | undefined>(undefined);
export const playing = signal(false);

export const ended = computed(() =>
  events.value.some((e) => e.kind === 'day' && e.state === 'ended'),
);
export const firstMs = computed(() =>
  events.value.reduce((first, e) => Math.min(first, e.atMs), Infinity),
);
export const lastMs = computed(() => events.value.reduce((last, e) => Math.max(last, e.atMs), 0));
export const shownMs = computed(() => {
  if (chosenMs.value !== undefined) return chosenMs.value;
  return ended.value ? lastMs.value : nowMs.value;
});
/** Live, all that is known is shown: the clock that moves the dots changes nothing of it. */
export const day = computed(() => viewAt(events.value, chosenMs.value ?? Infinity));
export const scenario = computed<ScenarioView | undefined>(
  () =>
    day.value.scenarios.find((s) => s.id === chosenScenario.value) ?? day.value.scenarios.at(-1),
);

export function listen(): void {
  const source = new EventSource('/events');
  source.addEventListener('hello', (e) => {
    connected.value = true;
    events.value = [];
    hello.value = JSON.parse(e.data as string) as Hello;
  });
  source.addEventListener('reset', () => (events.value = []));
  source.addEventListener('trouble', (e) => (trouble.value = JSON.parse(e.data as string)));
  source.addEventListener('events', (e) => {
    events.value = [...events.value, ...(JSON.parse(e.data as string) as DrillEvent[])];
    nowMs.value = Date.now();
  });
  // A server that was started anew knows no session of before: then only a new address helps.
  source.addEventListener('error', () => (connected.value = false));
}

export async function stop(): Promise<void> {
  if (!confirm('Stop the drill? Every fault is taken back at once.')) return;
  const answer = await fetch('/stop', { method: 'POST' }).catch(() => undefined);
  const refused = answer === undefined ? 'the console does not answer' : await answer.text();
  stopped.value = { atMs: Date.now(), ...(!answer?.ok && { refused }) };
}

const tickMs = 200;
const playSpeed = 4;

/** The clock ticks while a drill runs, so that dots move and deadlines come closer; or while one is played again. */
export function tick(): void {
  effect(() => {
    if (ended.value) return undefined;
    const timer = setInterval(() => (nowMs.value = Date.now()), tickMs);
    return () => clearInterval(timer);
  });
  effect(() => {
    if (!playing.value) return undefined;
    const timer = setInterval(() => {
      const next = (chosenMs.peek() ?? firstMs.peek()) + tickMs * playSpeed;
      const isOver = next >= lastMs.peek();
      chosenMs.value = isOver ? undefined : next;
      if (isOver) playing.value = false;
    }, tickMs);
    return () => clearInterval(timer);
  });
}
