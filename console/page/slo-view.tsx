/** One SLO: its objective, its result, the remaining budget, the burn rate, and the burn rates that page. */
import { wakes } from '../../runbooks/pager.js';
import { percentText, timesText } from '../../runbooks/words.js';
import type { SloRow, SloView } from '../on-call.js';
import { leftText, SloTable } from './on-call-now.js';
import { Plot } from './plot.js';
import { From } from './source.js';
import { minutesText, noSlo, span } from './words.js';
import { Figures } from './figures.js';

export function Slos() {
  return (
    <div class="page">
      <h1>SLOs</h1>
      <From<SloRow[]> from="slos" everyMs={5000}>
        {(rows) => (
          <section>
            <SloTable rows={rows} empty={noSlo} />
          </section>
        )}
      </From>
    </div>
  );
}

/** None: the last six hours, or since the SLO began. */
const ranges = ['10m', '1h', '6h', '1d', 'period'];

export function Slo({ query }: { query: URLSearchParams }) {
  const id = query.get('id') ?? '';
  const range = query.get('range');
  return (
    <div class="page">
      <h1>{id}</h1>
      <nav class="scenarios" aria-label="range">
        {ranges.map((r) => (
          <a
            key={r}
            class="choice"
            href={`#/slo?id=${encodeURIComponent(id)}&range=${r}`}
            {...(r === range && { 'aria-current': 'page' })}
          >
            {r}
          </a>
        ))}
      </nav>
      <From<SloView>
        from={`slo?id=${encodeURIComponent(id)}${range === null ? '' : `&range=${range}`}`}
        everyMs={5000}
      >
        {(view) => <What view={view} />}
      </From>
    </div>
  );
}

function What({ view }: { view: SloView }) {
  const { objective, achieved, remaining, burn, periodDays, fromMs, toMs } = view;
  const minutes =
    objective === undefined || periodDays === undefined
      ? undefined
      : (1 - objective) * periodDays * 1440;
  const rows: [string, string][] = [
    ['objective', percentText(objective)],
    ['achieved', achieved === undefined ? 'no data' : percentText(achieved)],
    ['budget left', leftText(remaining)],
    [
      'left as minutes of failure',
      minutes === undefined || remaining === undefined
        ? 'no data'
        : remaining < 0
          ? 'none'
          : minutesText(remaining * minutes),
    ],
    ['burns', burn === undefined ? 'no data' : timesText(burn)],
    ['pages at this rate', pagesAt(view)],
  ];
  return (
    <>
      <Figures rows={rows} />
      {view.timeScale !== undefined && (
        <p class="soft">
          The rules run at {view.timeScale} of production time, in which periods, windows and steps
          are named here.
        </p>
      )}
      <Plot
        title="Error budget left, of the period (lower values are drawn at -100%)"
        {...{ fromMs, toMs }}
        lines={view.remainingOverTime.map(({ points }) => ({ name: 'left', points }))}
        thresholds={[{ at: 0, name: 'spent' }]}
        textOf={(v) => (v < -1 ? leftText(v) : percentText(v))}
        low={-1}
        high={1}
        empty="No budget was recorded in this range."
      />
      <Plot
        title="Burn rate: times faster than the objective allows"
        {...{ fromMs, toMs }}
        lines={view.burns.map(({ window, points }) => ({ name: `over ${window}`, points }))}
        thresholds={burnThresholds(view)}
        textOf={(v) => `${Number(v.toPrecision(2))}x`}
        low={0.1}
        log
        empty="No burn rate was recorded in this range."
      />
      <Plot
        title={
          view.events.length === 0 ? 'Events' : `Events, counted in steps of ${span(view.stepMs)}`
        }
        {...{ fromMs, toMs }}
        lines={view.events}
        textOf={(v) => Number(v.toPrecision(3)).toLocaleString('en')}
        empty="No event was counted in this range: that is no data, and no success."
      />
    </>
  );
}

/** One line for each burn rate, named after all thresholds there. */
function burnThresholds({ factors }: SloView) {
  const names = new Map<number, string[]>([[1, ['allowed by the objective']]]);
  for (const { factor, severity } of factors) {
    names.set(factor, [...(names.get(factor) ?? []), severity]);
  }
  return [...names].map(([at, own]) => ({ at, name: `${at}x: ${own.join(', ')}` }));
}

function pagesAt({ burn, factors, unread }: SloView): string {
  const lowest = factors.find((f) => wakes(f.severity));
  if (!lowest && !unread.some(wakes)) return 'no alert of this SLO pages';
  if (burn === undefined || !lowest) return 'not known';
  return burn > lowest.factor ? `yes, above ${lowest.factor}x` : `no, from ${lowest.factor}x on`;
}
