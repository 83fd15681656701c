/** The state of the shown drill: its events as they come, and the moment that the viewer selected. */
import { computed, effect, signal } from '@preact/signals';
import type { DrillEvent } from '../../runbooks/events.js';
import type { FirstState } from '../viewer.js';
import { type ScenarioView, viewAt } from './view.js';

export interface Hello {
  /** Start, stop and answer drills. */
  mayDrill: boolean;
  mayEdit: boolean;
  /** Parts of the console for which the server has a source. */
  parts: string[];
}

/** The first state is part of the page: the drill is drawn before its stream has begun. */
const first = JSON.parse(document.getElementById('first')?.textContent ?? '') as FirstState<Hello>;

export const events = signal<readonly DrillEvent[]>(first.events);
const skewMs = first.atMs - Date.now();
/** By the server's clock, whose times the events and the views have. */
export const serverNow = (): number => Date.now() + skewMs;

export const nowMs = signal(serverNow());
/** Undefined: follow the drill. */
export const chosenMs = signal<number | undefined>(undefined);
export const chosenScenario = signal<string | undefined>(undefined);
export const hello = signal<Hello>(first.hello);
export const trouble = signal('');
export const connected = signal(true);
/** The time at which this page threw the kill switch, and the refusal if there was one. */
export const stopped = signal<{ atMs: number; refused?: string } | undefined>(undefined);
export const playing = signal(false);

export const ended = computed(() =>
  events.value.some((e) => e.kind === 'day' && e.state === 'ended'),
);
/** After this time without an event a drill is no longer under way, whether its end was written or not. */
const forgottenMs = 600_000;
/** The events stop without the day's end: the runner was killed, or its folder was copied. */
export const isTorn = computed(
  () => !ended.value && lastMs.value > 0 && nowMs.value - lastMs.value > forgottenMs,
);
/** No further event is expected. */
export const isOver = computed(() => ended.value || isTorn.value);
export const firstMs = computed(() =>
  events.value.reduce((first, e) => Math.min(first, e.atMs), Infinity),
);
export const lastMs = computed(() => events.value.reduce((last, e) => Math.max(last, e.atMs), 0));
export const shownMs = computed(() => {
  if (chosenMs.value !== undefined) return chosenMs.value;
  return isOver.value ? lastMs.value : nowMs.value;
});
/** Live, all known events are shown: the clock that moves the dots does not change them. */
export const day = computed(() => viewAt(events.value, chosenMs.value ?? Infinity));
export const scenario = computed<ScenarioView | undefined>(
  () =>
    day.value.scenarios.find((s) => s.id === chosenScenario.value) ?? day.value.scenarios.at(-1),
);

const hiddenMs = 250;
/** Events since the last frame: a frame draws once, however many came. */
let fresh: DrillEvent[] = [];

function show(): void {
  if (fresh.length === 0) return;
  events.value = [...events.value, ...fresh];
  fresh = [];
  nowMs.value = serverNow();
}

/** A hidden page has no animation frames, so it uses a timer. */
const soon = (): void =>
  document.hidden ? void setTimeout(show, hiddenMs) : void requestAnimationFrame(show);

/** With the stream's first message: how many of the page's events are still valid, and of which day. */
interface Told {
  holds: number;
  generation: number;
}

/** Another drill begins: its viewer has neither stopped it nor selected a moment of it. */
function forget(): void {
  stopped.value = undefined;
  chosenMs.value = undefined;
  chosenScenario.value = undefined;
  playing.value = false;
  answered.value = '';
}

export function listen(): void {
  const { events: had } = first;
  let { generation } = first;
  const begin = (own: readonly DrillEvent[]): void => {
    fresh = [];
    events.value = own;
  };
  stream(`/events?generation=${generation}&had=${had.length}`, (source) => {
    source.addEventListener('hello', (e) => {
      connected.value = true;
      const { holds, generation: now, ...own } = JSON.parse(e.data as string) as Hello & Told;
      hello.value = own;
      if (now !== generation) forget();
      generation = now;
      if (holds !== events.value.length || fresh.length > 0) begin(had.slice(0, holds));
    });
    source.addEventListener('reset', (e) => {
      generation = Number(e.data);
      forget();
      begin([]);
    });
    source.addEventListener('trouble', (e) => (trouble.value = JSON.parse(e.data as string)));
    source.addEventListener('events', (e) => {
      if (fresh.length === 0) soon();
      fresh.push(...(JSON.parse(e.data as string) as DrillEvent[]));
    });
    source.addEventListener('error', () => (connected.value = false));
  });
}

const againMs = 5000;

/**
 * Opens a stream again for ever, also after an answer that a browser takes as final: a reverse proxy's 502 while the
 * console restarts. The result ends it.
 */
export function stream(address: string, listenTo: (source: EventSource) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource;
  const open = (): void => {
    source = new EventSource(address);
    listenTo(source);
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, againMs);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

export async function stop(): Promise<void> {
  if (!confirm('Stop the drill? Every fault is rolled back at once.')) return;
  const { ok, text: refused } = await call('/stop', {});
  stopped.value = { atMs: serverNow(), ...(!ok && { refused }) };
}

/** The answer to this page's last call, if the drill's own events do not tell it. */
export const answered = signal('');

/** Resolves to the answer's text, and whether the server did as it was asked. */
async function call(path: string, body: unknown): Promise<{ ok: boolean; text: string }> {
  const request = { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(path, request).catch(() => undefined);
  if (answer === undefined) return { ok: false, text: 'the console does not answer' };
  return { ok: answer.ok, text: (await answer.text()).trim() };
}

export async function acknowledge(): Promise<void> {
  const by = prompt('Who acknowledges the last page? A role rather than a name', 'on call');
  if (by === null) return;
  const { ok, text } = await call('/acknowledge', { text: by });
  answered.value = ok ? '' : `Not acknowledged: ${text}`;
}

export async function hint(): Promise<void> {
  const by = prompt('Who asks for a hint? A role rather than a name', 'on call');
  if (by === null) return;
  const { ok, text } = await call('/hint', { text: by });
  answered.value = ok ? `Hint: ${(JSON.parse(text) as { told: string }).told}` : `No hint: ${text}`;
}

/** Resolves to the reason why no drill was started; undefined: it has begun. */
export async function start(scenarios: string[], confirm?: string): Promise<string | undefined> {
  const { ok, text } = await call('/run', { scenarios, ...(confirm && { confirm }) });
  if (!ok) return text;
  forget();
  return undefined;
}

const tickMs = 200;
const playSpeed = 4;

/** The clock ticks during a drill, so that dots move and deadlines approach, and during a replay. */
export function tick(): void {
  effect(() => {
    if (isOver.value) return undefined;
    const timer = setInterval(() => (nowMs.value = serverNow()), tickMs);
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
