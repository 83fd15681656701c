/** On call, now: the firing alerts as receivers get them, the burning budgets, and recent changes. */
import { wakes } from '../../runbooks/pager.js';
import { labelsText, percentText, plural, timesText } from '../../runbooks/words.js';
import type { AlertGroup, FiringAlert, Now, SloRow } from '../on-call.js';
import { day, events, isOver, serverNow } from './drill-state.js';
import { From } from './source.js';
import { Table } from './table.js';
import { Trouble } from './trouble.js';
import { dayAndClock, noSlo, span } from './words.js';

export function NowView() {
  return (
    <div class="page">
      <h1>Now</h1>
      <From<Now> from="now" everyMs={3000}>
        {(now) => <What now={now} />}
      </From>
    </div>
  );
}

function What({ now }: { now: Now }) {
  const loud = now.groups.filter((g) => g.alerts.some((a) => a.withheld === undefined));
  const quiet = now.groups.filter((g) => !loud.includes(g));
  loud.sort((a, b) => Number(pages(b)) - Number(pages(a)));
  const lost = now.lost ?? [];
  return (
    <>
      <Lead now={now} />
      <Trouble>
        {now.troubles.length > 0 && `A part is missing: ${now.troubles.join('; ')}.`}
      </Trouble>
      <Trouble>
        {lost.length > 0 &&
          `Fires in Prometheus and is not in Alertmanager, so nobody is notified: ${lost.join(', ')}.`}
      </Trouble>
      <div class="two">
        <div class="stack">
          {loud.map((group, i) => (
            <Group key={i} group={group} />
          ))}
          {quiet.length > 0 && (
            <details>
              <summary>
                {plural(quiet.flatMap((g) => g.alerts).length, 'more fires', 'more fire')}, and
                nobody is notified: silenced, inhibited or muted
              </summary>
              <div class="stack">
                {quiet.map((group, i) => (
                  <Group key={i} group={group} />
                ))}
              </div>
            </details>
          )}
          {now.groups.length === 0 && (
            <section>
              <p class="empty">{now.grouped ? 'Alertmanager has no alert.' : 'No alert fires.'}</p>
            </section>
          )}
        </div>
        <div class="stack">
          <Burning now={now} />
          <section>
            <h2>Is it us? What changed in the last day (UTC)</h2>
            <Drilling />
            {now.changed.length === 0 && now.troubles.length === 0 && (
              <p class="empty">
                No silence is in force, no drill ended, and Prometheus has seen no start, no new
                configuration and no new certificate.
              </p>
            )}
            <ul class="plain">
              {now.changed.map(({ atMs, text }) => (
                <li key={`${atMs} ${text}`}>
                  <time>{dayAndClock(atMs)}</time> {text}
                </li>
              ))}
            </ul>
          </section>
        </div>
      </div>
    </>
  );
}

function Lead({ now }: { now: Now }) {
  // An alert may be in the groups of several receivers.
  const all = now.groups.flatMap((g) => g.alerts);
  const alerts = [...new Map(all.map((a) => [JSON.stringify(a.labels), a])).values()];
  const awake = alerts.filter((a) => wakes(a.severity) && a.withheld === undefined).length;
  return (
    <p class="lead">
      {alerts.length > 0
        ? `${plural(alerts.length, 'alert fires', 'alerts fire')}; ${plural(awake, 'wakes', 'wake')} somebody.`
        : now.lost === undefined
          ? 'Alertmanager has no alert; whether Prometheus has one is not known.'
          : now.lost.length === 0 && 'Nothing fires.'}
      {!now.grouped && ' Alerts are listed by name: groups and silences need an Alertmanager.'}
    </p>
  );
}

function Burning({ now }: { now: Now }) {
  return (
    <section>
      <h2>Budgets that burn, or are nearly spent</h2>
      <SloTable
        rows={now.burning}
        empty={
          now.slos === undefined
            ? 'No data: whether a budget burns is not known.'
            : now.slos === 0
              ? noSlo
              : now.slos === now.withoutBurn
                ? 'No SLO has data: whether a budget burns is not known.'
                : 'No budget burns faster than its objective allows.'
        }
      />
      {now.withoutBurn > 0 && now.slos !== undefined && now.slos > now.withoutBurn && (
        <p class="soft">
          No data of {now.withoutBurn} of {now.slos} SLOs.
        </p>
      )}
    </section>
  );
}

/** The drill that runs now, if the console follows one. */
function Drilling() {
  if (isOver.value || events.value.length === 0) return null;
  const faults = day.value.scenarios
    .flatMap((s) => s.faults)
    .filter((f) => f.removedAtMs === undefined)
    .map((f) => `${f.kind} on ${f.target}`);
  return (
    <p class="missed">
      <a href="#/drill">A drill is running</a>: {day.value.title},{' '}
      {faults.length === 0 ? 'no fault is on now' : faults.join(', ')}
    </p>
  );
}

const pages = ({ alerts }: AlertGroup): boolean =>
  alerts.some((a) => wakes(a.severity) && a.withheld === undefined);

function Group({ group }: { group: AlertGroup }) {
  const { alertname = '', ...others } = group.labels;
  const name = `${alertname} ${labelsText(others)}`.trim() || 'without labels';
  return (
    <section>
      <h2>
        {name}
        {group.receiver !== undefined && ` → ${group.receiver}`}
      </h2>
      {group.alerts.map((alert, i) => (
        <Alert key={i} alert={alert} />
      ))}
    </section>
  );
}

function Alert({ alert }: { alert: FiringAlert }) {
  const { name, severity, labels, sinceMs, summary, withheld } = alert;
  const query = new URLSearchParams({ alert: name, labels: JSON.stringify(labels) });
  return (
    <article class={`alert ${wakes(severity) ? 'page-alert' : ''}`}>
      <p>
        <strong>
          {wakes(severity) ? '▲' : '△'} {name}
        </strong>{' '}
        <span class="soft">
          {severity}, for {span(serverNow() - sinceMs)}
          {labels.owner !== undefined && `, owner ${labels.owner}`}
          {withheld !== undefined && `, ${withheld}: no notification`}
        </span>
      </p>
      {summary !== undefined && <p>{summary}</p>}
      <p class="soft labels">{labelsText(labels)}</p>
      <p>
        <a href={`#/runbook?${query.toString()}`}>Runbook</a>
        {labels.slo !== undefined && (
          <>
            {' · '}
            <a href={`#/slo?id=${encodeURIComponent(labels.slo)}`}>SLO {labels.slo}</a>
          </>
        )}
      </p>
    </article>
  );
}

/** `129 times over` when more than twice the budget is spent. */
export const leftText = (remaining: number | undefined): string =>
  remaining === undefined
    ? 'no data'
    : remaining < -1
      ? `over budget, ${(1 - remaining).toFixed(0)}x`
      : percentText(remaining);

export function SloTable({ rows, empty }: { rows: readonly SloRow[]; empty: string }) {
  return (
    <Table<SloRow>
      label="SLOs"
      rows={rows}
      keyOf={(r) => r.slo}
      empty={empty}
      textOf={(r) => `${r.slo} ${r.service}`}
      columns={[
        {
          title: 'SLO',
          share: 2.4,
          cell: (r) => <a href={`#/slo?id=${encodeURIComponent(r.slo)}`}>{r.slo}</a>,
        },
        { title: 'objective', number: true, cell: (r) => percentText(r.objective) },
        {
          title: 'budget left',
          number: true,
          share: 1.4,
          cell: (r) => (
            <span class={(r.remaining ?? 1) < 0 ? 'late' : ''}>{leftText(r.remaining)}</span>
          ),
        },
        {
          title: 'burn',
          number: true,
          cell: (r) => (r.burn === undefined ? 'no data' : timesText(r.burn)),
        },
      ]}
    />
  );
}
