/** The facilitator's views: Plan, Report, and the coverage so far. */
import { useState } from 'preact/hooks';
import type { CoverageView, PlanView, ReportView } from '../facilitator.js';
import { events, hello, isOver, start } from './drill-state.js';
import { From } from './source.js';
import { dayAndClock, span } from './words.js';

export function Plan() {
  return (
    <div class="page">
      <h1>Plan</h1>
      <From<PlanView> from="plan" everyMs={0}>
        {({ scenarios, guard, remarks, roles }) => (
          <>
            <section>
              <h2>Before it starts</h2>
              <p>
                {scenarios.length} {scenarios.length === 1 ? 'scenario' : 'scenarios'}, at most{' '}
                {span(scenarios.reduce((sum, s) => sum + s.atMostMs, 0))}. Every scenario can work:
                its targets, its alerts and its way back were checked.
              </p>
              <ul class="plain">
                {guard.map(({ field, held, text }) => (
                  <li key={field}>
                    <span class={held ? 'held' : 'late'}>{held ? '✓' : '✗'}</span> {field}: {text}
                  </li>
                ))}
                {guard.length === 0 && <li>The drill file asks for no guard.</li>}
                {remarks.map((remark) => (
                  <li key={remark}>{remark}</li>
                ))}
                {roles && <Roles roles={roles} />}
              </ul>
            </section>
            {hello.value.mayDrill && (
              <Start
                scenarios={scenarios}
                mustConfirm={guard.some(({ field }) => field === 'confirm')}
              />
            )}
            {scenarios.map((s) => (
              <Scenario key={s.id} scenario={s} />
            ))}
          </>
        )}
      </From>
    </div>
  );
}

function Roles({ roles }: { roles: NonNullable<PlanView['roles']> }) {
  const { facilitator, responders, observers } = roles;
  return (
    <>
      {facilitator !== undefined && <li>knows the scenarios: {facilitator}</li>}
      <li>must acknowledge: {responders.join(', ')}</li>
      {observers.length > 0 && <li>only look: {observers.join(', ')}</li>}
    </>
  );
}

interface StartProps {
  scenarios: PlanView['scenarios'];
  /** The guard wants the drill's name. */
  mustConfirm: boolean;
}

function Start({ scenarios, mustConfirm }: StartProps) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState('');
  const [said, setSaid] = useState('');
  const [isAsked, setAsked] = useState(false);
  const ids = scenarios.map((s) => s.id).filter((id) => !left.has(id));
  const isOn = events.value.length > 0 && !isOver.value;
  const begin = async (): Promise<void> => {
    setAsked(true);
    setSaid('Starting …');
    const why = await start(ids, name);
    setAsked(false);
    setSaid(why === undefined ? '' : `Not started: ${why}`);
    if (why === undefined) location.hash = '#/drill';
  };
  const toggle = (id: string): void => {
    const next = new Set(left);
    if (!next.delete(id)) next.add(id);
    setLeft(next);
  };
  return (
    <section>
      <h2>Start it</h2>
      <ul class="plain">
        {scenarios.map(({ id, title }) => (
          <li key={id}>
            <label>
              <input type="checkbox" checked={!left.has(id)} onChange={() => toggle(id)} /> {title}
            </label>
          </li>
        ))}
      </ul>
      {mustConfirm && (
        <p>
          <label>
            Type the drill's name:{' '}
            <input value={name} onInput={(e) => setName(e.currentTarget.value)} />
          </label>
        </p>
      )}
      <p>
        <button
          disabled={isAsked || isOn || ids.length === 0 || (mustConfirm && name === '')}
          onClick={() => void begin()}
        >
          Start {ids.length} {ids.length === 1 ? 'scenario' : 'scenarios'}
        </button>{' '}
        <span class="soft">It replaces the report that is shown here.</span>
      </p>
      <p role="status" class="said">
        {isOn && !isAsked ? 'A drill is under way.' : said}
      </p>
    </section>
  );
}

function Scenario({ scenario: s }: { scenario: PlanView['scenarios'][number] }) {
  return (
    <section>
      <h2>
        {s.title}, at most {span(s.atMostMs)}
      </h2>
      <dl class="pairs">
        <dt>breaks</dt>
        <dd>
          {s.faults.map((f) => (
            <p key={f.id}>
              <strong>
                {f.kind} on {f.target}
              </strong>
              : {f.does}
            </p>
          ))}
        </dd>
        <dt>blast radius</dt>
        <dd>{s.blastRadius}</dd>
        <dt>must fire</dt>
        <dd>
          {s.expected.map((e) => (
            <p key={`${e.alert} ${JSON.stringify(e.labels)}`}>
              {e.alert} ({e.terms.join(', ')}) within {span(e.deadlineMs)}
              {e.warning !== undefined && <span class="late">: {e.warning}</span>}
            </p>
          ))}
          {s.expected.length === 0 && 'no alert'}
        </dd>
        <dt>must not fire</dt>
        <dd>{s.mustNotFire.join(', ') || 'no alert is named'}</dd>
        <dt>aborts when</dt>
        <dd>{s.aborts.join('; ')}</dd>
      </dl>
    </section>
  );
}

export function Report() {
  return (
    <div class="page">
      <h1>Report</h1>
      <p>
        <a href="/report" target="_blank" rel="noopener">
          The whole report
        </a>
        , with every series and its log.
      </p>
      <From<ReportView> from="report" everyMs={10_000}>
        {(report) => <Compared report={report} />}
      </From>
    </div>
  );
}

/** JSON has no undefined: an alert that did not fire comes as null. */
const secondsText = (seconds: number | null | undefined): string =>
  typeof seconds === 'number' ? `${seconds.toFixed(1)}\u00a0s` : 'did not fire';

function Compared({ report }: { report: ReportView }) {
  const { days, scenarios, regressions, hasBefore } = report;
  return (
    <>
      <section>
        <h2>{hasBefore ? 'Compared with the earlier run' : 'This run'}</h2>
        {!hasBefore && (
          <p class="empty">
            Start the console with --before FOLDER to set an earlier report beside it.
          </p>
        )}
        <ul class="plain">
          {regressions.map((text) => (
            <li class="late" key={text}>
              ✗ worse: {text}
            </li>
          ))}
          {hasBefore && regressions.length === 0 && <li class="held">✓ Nothing became worse.</li>}
        </ul>
      </section>
      <section class="scrolls" tabIndex={0} aria-label="scenarios of each run">
        <h2>Each alert with the time from the fault's effect to its receiver</h2>
        <table>
          <thead>
            <tr>
              <th>scenario</th>
              <th>failure mode</th>
              {days.map((d) => (
                <th key={d.id}>{dayAndClock(Date.parse(d.startedAt))} UTC</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {scenarios.map((s) => (
              <tr key={s.id}>
                <th scope="row">{s.title}</th>
                <td>{s.failureMode || 'none named'}</td>
                {days.map((d, i) => (
                  <td key={d.id}>
                    <span class={s.verdicts[i] ?? ''}>{s.verdicts[i] ?? 'not run'}</span>
                    {s.verdicts[i] &&
                      s.alerts.map((a) => (
                        <p class="soft" key={`${a.alert} ${a.severity}`}>
                          {a.alert}: {a.hidden[i] ?? secondsText(a.seconds[i])}
                          {a.inTime[i] === false && ', not in time'}
                        </p>
                      ))}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

const marks = { proven: '●', never: '○', cannot: '✗', absent: '·' };
const said = {
  proven: 'proven',
  never: 'never seen to fire',
  cannot: 'cannot fire: its series are missing',
  absent: 'had no such rule',
};

export function Coverage() {
  return (
    <div class="page">
      <h1>Coverage</h1>
      <From<CoverageView> from="coverage" everyMs={10_000}>
        {({ system, runs, alerts, drills }) => (
          <>
            <p class="lead">
              {system}: {alerts.filter((a) => a.now === 'proven').length} of {alerts.length} alerts
              are proven to reach somebody.
            </p>
            <section class="scrolls" tabIndex={0} aria-label="scenarios over the runs">
              <h2>Drills and failure modes, over the runs (UTC)</h2>
              <Drills runs={runs} drills={drills} />
            </section>
            <section class="scrolls" tabIndex={0} aria-label="alerts over the runs">
              <h2>Alerts over the runs: ● proven ○ never seen ✗ cannot fire · no such rule</h2>
              <table>
                <thead>
                  <tr>
                    <th>alert</th>
                    {runs.map((r) => (
                      <th key={r.run}>{dayAndClock(r.atMs).slice(5)}</th>
                    ))}
                    <th>proven last</th>
                  </tr>
                </thead>
                <tbody>
                  {alerts.map((a) => (
                    <tr key={`${a.alert} ${a.severity}`}>
                      <th scope="row">
                        {a.alert} <span class="soft">{a.severity}</span>
                      </th>
                      {a.states.map((state, i) => (
                        <td key={runs[i]?.run} class={`cover ${state}`} title={said[state]}>
                          <span aria-hidden="true">{marks[state]}</span>
                          <span class="unseen">{said[state]}</span>
                        </td>
                      ))}
                      <td>
                        {a.provenAtMs === undefined
                          ? 'never'
                          : `${dayAndClock(a.provenAtMs)} by ${a.provenBy}`}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          </>
        )}
      </From>
    </div>
  );
}

function Drills({ runs, drills }: Pick<CoverageView, 'runs' | 'drills'>) {
  return (
    <table>
      <thead>
        <tr>
          <th>failure mode</th>
          <th>scenario</th>
          {runs.map((r) => (
            <th key={r.run}>{dayAndClock(r.atMs).slice(5)}</th>
          ))}
          <th>last passed</th>
        </tr>
      </thead>
      <tbody>
        {drills.map(({ id, failureMode, verdicts, passedAtMs }) => (
          <tr key={id}>
            <td>{failureMode || 'none named'}</td>
            <th scope="row">{id}</th>
            {verdicts.map((verdict, i) => (
              <td key={runs[i]?.run} class={verdict ?? 'soft'}>
                {verdict ?? '· not run'}
              </td>
            ))}
            <td>{passedAtMs === undefined ? 'never' : dayAndClock(passedAtMs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
