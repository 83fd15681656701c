/** The live drill: the one screen that a room watches, and later replays. */
import { eventText } from '../../runbooks/event-text.js';
import { percentText } from '../../runbooks/words.js';
import { Callers } from './callers.js';
import {
  acknowledge,
  answered,
  chosenMs,
  chosenScenario,
  day,
  ended,
  events,
  firstMs,
  hello,
  hint,
  isOver,
  isTorn,
  lastMs,
  nowMs,
  playing,
  scenario,
  shownMs,
  stop,
  stopped,
} from './drill-state.js';
import { Pointed, Sized, timeFrame } from './frame.js';
import { laneHeight, Lanes, otherHeight } from './lanes.js';
import { Topology } from './topology.js';
import type { BudgetView, DayView, ScenarioView } from './view.js';
import { clock, minutesText, span } from './words.js';
import { Figures } from './figures.js';

const shownEvents = 150;
const shownBudgets = 4;
/** After this time without an event the runner is assumed dead. */
const silentMs = 5000;

export function Drill() {
  const view = day.value;
  const own = scenario.value;
  return (
    <div class="drill">
      <header class="drill-head">
        <h1>
          {view.title} {view.verdict && <span class={view.verdict}>{view.verdict}</span>}
        </h1>
        <DayFigures view={view} />
      </header>
      <ScenarioChoice view={view} />
      <div class="column">
        <section>
          <h2>What is struck, and how far it may hurt</h2>
          <Topology day={view} scenario={own} />
        </section>
        {own && <Said own={own} />}
        {own && own.verdict === undefined && <Aborts own={own} />}
        <Budgets budgets={view.budgets} />
        <Log />
      </div>
      {own ? (
        <Axis view={view} own={own} />
      ) : (
        <section>
          <p class="empty">
            No scenario has begun. Start a drill whose --out is the folder that this console reads:
            firedrill gameday run.
          </p>
        </section>
      )}
      <Scrub />
    </div>
  );
}

function DayFigures({ view }: { view: DayView }) {
  const last = view.load.findLast((l) => l.requests > 0);
  const share = last && percentText(1 - last.errors / last.requests);
  const when = ` in the ${chosenMs.value === undefined ? 'last' : 'shown'} second`;
  const rows: [string, string, string][] = [
    ['pages that people would have got', String(view.pages), view.pages > 0 ? 'late' : ''],
    ['tickets', String(view.tickets), ''],
    [`answered${when}`, share ?? 'no data', ''],
    [`p95${when}`, last ? `${last.p95Ms.toFixed(0)} ms` : 'no data', ''],
  ];
  return <Figures rows={rows} />;
}

function ScenarioChoice({ view }: { view: DayView }) {
  const ids = [...new Set([...view.planned, ...view.scenarios.map((s) => s.id)])];
  return (
    <nav class="scenarios" aria-label="scenarios">
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
            <span>{own?.title ?? id}</span> <span class={`state ${state}`}>{state}</span>
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
  const lanes = own.lanes.length * laneHeight + own.others.length * otherHeight;
  return (
    <section class="axis-of-all">
      <Sized>
        {(width, height) => {
          const frame = timeFrame(own.startedAtMs, until, width);
          const plot = height === undefined ? 128 : plotHeight(height, lanes);
          const parts = { scenario: own, nowMs: shownMs.value, frame };
          return (
            <Pointed frame={frame}>
              <h2>
                What callers see <Key name="good-line" text="answered" />
                <Key name="slow-line" text="p95" />
              </h2>
              {view.load.length === 0 ? (
                <p class="empty">No request was sent yet.</p>
              ) : (
                <Callers day={view} {...parts} height={plot} />
              )}
              <h2>Who must be told, and when</h2>
              <Lanes {...parts} />
            </Pointed>
          );
        }}
      </Sized>
    </section>
  );
}

/** The height of each of two plots, chosen so that with the lanes they fill the screen. */
const plotHeight = (height: number, lanes: number): number =>
  Math.max(84, Math.min(300, (height - 160 - Math.max(laneHeight, lanes)) / 2));

function Key({ name, text }: { name: string; text: string }) {
  return (
    <span class="key">
      <svg width="30" height="10" aria-hidden="true">
        <path class={name} d="M0,5h30" />
      </svg>
      {text}
    </span>
  );
}

function Said({ own }: { own: ScenarioView }) {
  if (own.verdict === undefined && own.abort === undefined) return null;
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
            <li key={`${m.name} ${m.when}`}>
              {m.name} {m.when} the fault: {m.value ?? 'no data'}, wanted {m.bound}
            </li>
          ))}
      </ul>
      {own.verdict === 'PASS' && <p class="held">Every claim of this scenario held.</p>}
    </section>
  );
}

/** How close each abort condition is: a full bar means that it is met. */
function Aborts({ own }: { own: ScenarioView }) {
  // The last distances are no longer true when the fault is gone.
  const isOn = own.faults.some((f) => f.removedAtMs === undefined);
  if (own.distances.length === 0 || !isOn) return null;
  return (
    <section>
      <h2>What would abort it</h2>
      {own.distances.map(({ condition, value, above, below, heldMs, forMs }) => {
        const near =
          value === undefined
            ? 0
            : above !== undefined
              ? above > 0
                ? value / above
                : Number(value > above)
              : value > 0
                ? (below ?? 0) / value
                : 1;
        const bound = above === undefined ? `below ${below}` : `above ${above}`;
        const held = heldMs > 0 ? `, so for ${span(heldMs)} of ${span(forMs)}` : '';
        const text = `${value ?? 'no data'}; aborts ${bound}${held}`;
        return (
          <div class="gauge" key={condition}>
            <span>{condition}</span>
            <span class="soft">{text}</span>
            <Bar share={near} kind={heldMs > 0 ? 'met' : ''} />
          </div>
        );
      })}
    </section>
  );
}

function Budgets({ budgets }: { budgets: readonly BudgetView[] }) {
  const spent = budgets.filter((b) => b.spentOfPeriod > 0);
  if (budgets.length === 0) return null;
  return (
    <section>
      <h2>Error budget spent</h2>
      {spent.length === 0 && <p class="soft">None, of {budgets.length} SLOs.</p>}
      {spent.slice(0, shownBudgets).map(({ slo, spentOfPeriod, budgetMinutes }) => (
        <div class="gauge" key={slo}>
          <span>{slo}</span>
          <span class="soft">
            {budgetMinutes === undefined
              ? `${percentText(spentOfPeriod)} of the period's`
              : `${minutesText(spentOfPeriod * budgetMinutes)} of ${minutesText(budgetMinutes)}`}
          </span>
          <Bar share={spentOfPeriod} kind="spent" />
        </div>
      ))}
      {spent.length > shownBudgets && <p class="soft">and {spent.length - shownBudgets} more</p>}
    </section>
  );
}

function Bar({ share, kind }: { share: number; kind: string }) {
  const width = `${(100 * Math.max(0, Math.min(1, share))).toFixed(1)}%`;
  return (
    <span class={`bar ${kind}`} aria-hidden="true">
      <span style={{ width }} />
    </span>
  );
}

const quiet = new Set(['load', 'distance', 'budget', 'system']);

function Log() {
  // Live, all known events are shown: the clock that moves the dots does not change them.
  const untilMs = chosenMs.value ?? Infinity;
  const shown = events.value.filter(
    (e) =>
      e.atMs <= untilMs && !quiet.has(e.kind) && !(e.kind === 'theory' && e.within === undefined),
  );
  const last = shown.toSorted((a, b) => b.atMs - a.atMs).slice(0, shownEvents);
  return (
    <section class="log-of-events">
      <h2>Events, the last first (UTC)</h2>
      <div class="log" tabIndex={0} role="log" aria-label="events">
        {last.map((event, i) => (
          <p key={shown.length - i}>
            <time>{clock(event.atMs)}</time>
            {eventText(event)}
          </p>
        ))}
      </div>
    </section>
  );
}

function Scrub() {
  if (!Number.isFinite(firstMs.value)) return null;
  const isLive = chosenMs.value === undefined;
  return (
    <footer class="scrub">
      <button
        onClick={() => {
          chosenMs.value = undefined;
          playing.value = false;
        }}
        aria-pressed={isLive}
      >
        {isOver.value ? 'The end' : 'Live'}
      </button>
      {isOver.value && (
        <button
          onClick={() => (playing.value = !playing.value)}
          aria-pressed={playing.value}
          title="four times as fast as it was"
        >
          {playing.value ? 'Pause' : 'Play'}
        </button>
      )}
      <input
        type="range"
        aria-label="moment of the drill"
        aria-valuetext={clock(shownMs.value)}
        min={firstMs.value}
        max={isOver.value ? lastMs.value : nowMs.value}
        step={100}
        value={shownMs.value}
        onInput={(e) => {
          chosenScenario.value = undefined;
          chosenMs.value = Number(e.currentTarget.value);
        }}
      />
      <span class="moment">
        {clock(shownMs.value)} UTC, {span(shownMs.value - firstMs.value)} after the start
      </span>
      <Stop />
    </footer>
  );
}

/** The faults left after Stop, and their fate when the runner has died: they are leases, and lapse. */
function Stop() {
  const open = day.value.scenarios.flatMap((s) =>
    s.faults.filter((f) => f.removedAtMs === undefined),
  );
  const leaseMs = Math.max(0, ...open.map((f) => f.leaseMs ?? 0));
  const asked = stopped.value;
  const sinceMs = asked?.atMs ?? lastMs.value;
  const leftMs = sinceMs + leaseMs - nowMs.value;
  const lapse =
    leaseMs === 0
      ? ''
      : leftMs > 0
        ? `; the lease ends in ${span(leftMs)} unless it is renewed`
        : '; the lease has ended unless it was renewed';
  const on = open.length === 1 ? 'one fault is on' : `${open.length} faults are on`;
  let said = '';
  if (ended.value) said = '';
  else if (isTorn.value) {
    said = `No event since ${clock(lastMs.value)}, and no end of the day: the run was killed, or it waits.`;
  } else if (asked?.refused !== undefined) said = `Not stopped: ${asked.refused}`;
  else if (asked && open.length > 0) said = `Stopping: ${on}${lapse}`;
  else if (asked) said = 'Stopped: no fault is on.';
  else if (nowMs.value - lastMs.value > silentMs && open.length > 0) {
    said = `No event from the runner for ${span(nowMs.value - lastMs.value)}: ${on}${lapse}`;
  }
  return (
    <>
      <span role="status">
        {said} {answered.value}
      </span>
      {hello.value.mayDrill && !ended.value && open.length > 0 && (
        <button onClick={() => void hint()}>Hint</button>
      )}
      {hello.value.mayDrill && !ended.value && day.value.pages > 0 && (
        <button onClick={() => void acknowledge()}>Acknowledge</button>
      )}
      {hello.value.mayDrill && !ended.value && (
        <button
          class="stop"
          disabled={asked !== undefined && asked.refused === undefined}
          onClick={() => void stop()}
        >
          Stop
        </button>
      )}
    </>
  );
}
