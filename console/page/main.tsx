/** The page: a drill, live from the server's events, or at whatever moment of it the viewer has chosen. */
import { computed, effect, signal } from '@preact/signals';
import { scaleLinear } from 'd3-scale';
import { render } from 'preact';
import { eventText } from '../../runbooks/event-text.js';
import type { DrillEvent } from '../../runbooks/events.js';
import { percentText } from '../../runbooks/words.js';
import { Callers } from './callers.js';
import { Lanes } from './lanes.js';
import { Topology } from './topology.js';
import { type DayView, type ScenarioView, viewAt } from './view.js';
import { clock, span } from './words.js';

const width = 1000;
const shownEvents = 200;

const events = signal<readonly DrillEvent[]>([]);
const nowMs = signal(Date.now());
/** Undefined: follow the drill. */
const chosenMs = signal<number | undefined>(undefined);
const chosenScenario = signal<string | undefined>(undefined);
const mayStop = signal(false);
const trouble = signal('');
const connected = signal(false);
const stopped = signal('');

const ended = computed(() => events.value.some((e) => e.kind === 'day' && e.state === 'ended'));
const lastMs = computed(() => events.value.reduce((last, e) => Math.max(last, e.atMs), 0));
const shownMs = computed(() => {
  if (chosenMs.value !== undefined) return chosenMs.value;
  return ended.value ? lastMs.value : nowMs.value;
});
/** Live, all that is known is shown: the clock that moves the dots changes nothing of it. */
const day = computed(() => viewAt(events.value, chosenMs.value ?? Infinity));
const scenario = computed<ScenarioView | undefined>(
  () =>
    day.value.scenarios.find((s) => s.id === chosenScenario.value) ?? day.value.scenarios.at(-1),
);

function listen(): void {
  const source = new EventSource('/events');
  source.addEventListener('hello', (e) => {
    connected.value = true;
    events.value = [];
    mayStop.value = (JSON.parse(e.data as string) as { mayStop: boolean }).mayStop;
  });
  source.addEventListener('reset', () => (events.value = []));
  source.addEventListener('trouble', (e) => (trouble.value = JSON.parse(e.data as string)));
  source.addEventListener('events', (e) => {
    events.value = [...events.value, ...(JSON.parse(e.data as string) as DrillEvent[])];
    nowMs.value = Date.now();
  });
  source.addEventListener('error', () => (connected.value = false));
}

async function stop(): Promise<void> {
  if (!confirm('Stop the drill? Every fault is taken back at once.')) return;
  const answer = await fetch('/stop', { method: 'POST' });
  stopped.value = answer.ok ? 'The kill switch is thrown.' : await answer.text();
}

function Figures({ view }: { view: DayView }) {
  const last = view.load.at(-1);
  const rows: [string, string][] = [
    ['pages', String(view.pages)],
    ['tickets', String(view.tickets)],
    ['requests', view.load.reduce((sum, l) => sum + l.requests, 0).toLocaleString('en')],
    ['failed', view.load.reduce((sum, l) => sum + l.errors, 0).toLocaleString('en')],
  ];
  if (last && last.requests > 0) rows.push(['now', percentText(1 - last.errors / last.requests)]);
  for (const { slo, spentOfPeriod } of view.budgets) {
    rows.push([`${slo}: budget spent`, percentText(spentOfPeriod)]);
  }
  return (
    <dl class="figures">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function ScenarioChoice({ view }: { view: DayView }) {
  const ids = [...new Set([...view.planned, ...view.scenarios.map((s) => s.id)])];
  return (
    <nav aria-label="scenarios">
      {ids.map((id) => {
        const own = view.scenarios.find((s) => s.id === id);
        const state = own?.verdict ?? own?.phase ?? 'to come';
        return (
          <button
            key={id}
            disabled={!own}
            aria-pressed={scenario.value?.id === id}
            onClick={() => {
              chosenScenario.value = id;
              if (own?.endedAtMs !== undefined) chosenMs.value = own.endedAtMs;
            }}
          >
            {own?.title ?? id} · <span class={state}>{state}</span>
          </button>
        );
      })}
    </nav>
  );
}

function Axis({ view, own }: { view: DayView; own: ScenarioView }) {
  const until = Math.max(
    own.endedAtMs ?? shownMs.value,
    ...own.lanes.map((l) => l.deadlineAtMs),
    own.startedAtMs + 5000,
  );
  const x = scaleLinear().domain([own.startedAtMs, until]).range([0, width]);
  const parts = { scenario: own, nowMs: shownMs.value, x, width };
  return (
    <section>
      <h2>What callers see</h2>
      <Callers day={view} {...parts} />
      <h2>Who must be told, and when</h2>
      <Lanes {...parts} />
    </section>
  );
}

function Said({ own }: { own: ScenarioView }) {
  return (
    <section>
      <h2>
        {own.title}: <span class={own.verdict ?? ''}>{own.verdict ?? own.phase}</span>
      </h2>
      {own.abort !== undefined && <p class="missed">Aborted: {own.abort}</p>}
      <ul>
        {own.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
        {own.measures
          .filter((m) => !m.held)
          .map((m) => (
            <li>
              {m.name} {m.when} the fault: {m.value ?? 'no data'}, wanted {m.bound}
            </li>
          ))}
      </ul>
      {own.verdict === 'PASS' && <p class="held">Every claim of this scenario held.</p>}
    </section>
  );
}

function Log() {
  const shown = events.value.filter((e) => e.atMs <= shownMs.value && e.kind !== 'load');
  const last = shown.toSorted((a, b) => b.atMs - a.atMs).slice(0, shownEvents);
  return (
    <section class="wide">
      <h2>Events, the last first</h2>
      <div class="log" tabIndex={0} role="log" aria-label="events">
        {last.map((event) => (
          <p>
            <time>{clock(event.atMs)}</time>
            {eventText(event)}
          </p>
        ))}
      </div>
    </section>
  );
}

function Scrub() {
  const firstMs = events.value.reduce((first, e) => Math.min(first, e.atMs), Infinity);
  if (!Number.isFinite(firstMs)) return null;
  const toMs = ended.value ? lastMs.value : nowMs.value;
  return (
    <footer>
      <button
        onClick={() => (chosenMs.value = undefined)}
        aria-pressed={chosenMs.value === undefined}
      >
        {ended.value ? 'The end' : 'Live'}
      </button>
      <input
        type="range"
        aria-label="moment of the drill"
        aria-valuetext={clock(shownMs.value)}
        min={firstMs}
        max={toMs}
        step={100}
        value={shownMs.value}
        onInput={(e) => {
          chosenScenario.value = undefined;
          chosenMs.value = Number(e.currentTarget.value);
        }}
      />
      <span>
        {clock(shownMs.value)}, {span(shownMs.value - firstMs)} after the start
      </span>
      {mayStop.value && !ended.value && (
        <button class="stop" onClick={() => void stop()}>
          Stop
        </button>
      )}
    </footer>
  );
}

function Page() {
  const view = day.value;
  const own = scenario.value;
  return (
    <>
      <main>
        <header>
          <h1>
            {view.title} {view.verdict && <span class={view.verdict}>{view.verdict}</span>}
          </h1>
          <Figures view={view} />
          {!connected.value && <span class="trouble">not connected: trying again</span>}
          {trouble.value !== '' && <span class="trouble">{trouble.value}</span>}
          {stopped.value !== '' && <span role="status">{stopped.value}</span>}
        </header>
        <ScenarioChoice view={view} />
        <div class="column">
          <section>
            <h2>What is struck, and how far it may hurt</h2>
            <Topology day={view} scenario={own} />
          </section>
          {own && (own.verdict !== undefined || own.abort !== undefined) && <Said own={own} />}
        </div>
        {own ? (
          <Axis view={view} own={own} />
        ) : (
          <section>
            <p>No scenario has begun: firedrill gameday run, with this folder as its --out.</p>
          </section>
        )}
        <Log />
      </main>
      <Scrub />
    </>
  );
}

// The clock ticks while a drill runs, so that dots move and deadlines come closer.
effect(() => {
  if (ended.value) return undefined;
  const timer = setInterval(() => (nowMs.value = Date.now()), 200);
  return () => clearInterval(timer);
});
listen();
render(<Page />, document.getElementById('page') as HTMLElement);
