/** The page: one address for each view, and problems shown at its top. */
import { signal } from '@preact/signals';
import { type ComponentChildren, Fragment, render } from 'preact';
import { Drill } from './drill.js';
import { connected, hello, listen, tick, trouble } from './drill-state.js';
import { Drawn } from './drawn.js';
import { Coverage, Plan, Report } from './facilitator-views.js';
import { NowView } from './on-call-now.js';
import { OneService } from './one-service.js';
import { PlatformView } from './platform-view.js';
import { Postmortem } from './postmortem-view.js';
import { Requests } from './requests-view.js';
import { Runbook } from './runbook-view.js';
import { ServiceView } from './service-view.js';
import { Slo, Slos } from './slo-view.js';
import { Trouble } from './trouble.js';

interface View {
  /** The name in the address: `#/now`. */
  name: string;
  title: string;
  /** The part of the server that the view needs; absent: none. */
  part?: string;
  show: (query: URLSearchParams) => ComponentChildren;
}

const groups: { title: string; views: View[] }[] = [
  {
    title: 'game day',
    views: [
      { name: 'plan', title: 'Plan', part: 'plan', show: () => <Plan /> },
      { name: 'drill', title: 'Drill', show: () => <Drill /> },
      { name: 'report', title: 'Report', part: 'report', show: () => <Report /> },
      { name: 'postmortem', title: 'Postmortem', part: 'postmortem', show: () => <Postmortem /> },
      { name: 'coverage', title: 'Coverage', part: 'coverage', show: () => <Coverage /> },
    ],
  },
  {
    title: 'on call',
    views: [
      { name: 'now', title: 'Now', part: 'now', show: () => <NowView /> },
      { name: 'slos', title: 'SLOs', part: 'slos', show: () => <Slos /> },
    ],
  },
  {
    title: 'mesh',
    views: [
      { name: 'services', title: 'Services', part: 'services', show: () => <ServiceView /> },
      { name: 'requests', title: 'Requests', part: 'requests', show: () => <Requests /> },
      { name: 'platform', title: 'Platform', part: 'platform', show: () => <PlatformView /> },
    ],
  },
];

/** Views reached from other views, and not from the bar. */
const within: View[] = [
  {
    name: 'service',
    title: 'Service',
    part: 'services',
    show: (query) => <OneService query={query} />,
  },
  { name: 'slo', title: 'SLO', part: 'slo', show: (query) => <Slo query={query} /> },
  {
    name: 'runbook',
    title: 'Runbook',
    part: 'runbook',
    show: (query) => <Runbook query={query} />,
  },
];

const all = [...groups.flatMap((g) => g.views), ...within];
const address = signal(location.hash);
addEventListener('hashchange', () => (address.value = location.hash));

function Page() {
  const [name = '', query = ''] = address.value.replace(/^#\//, '').split('?');
  const view = all.find((v) => v.name === name) ?? all.find((v) => v.name === 'drill');
  const { parts } = hello.value;
  const isThere = view?.part === undefined || parts.includes(view.part);
  const shown = groups
    .map(({ title, views }) => ({
      title,
      views: views.filter((v) => v.part === undefined || parts.includes(v.part)),
    }))
    .filter(({ views }) => views.length > 0);
  return (
    <>
      {shown.some(({ views }) => views.length > 1) && (
        <nav class="views" aria-label="views">
          <strong>Firedrill</strong>
          {shown.map(({ title, views }) => (
            <Fragment key={title}>
              <span class="group">{title}</span>
              {views.map((v) => (
                <a
                  key={v.name}
                  href={`#/${v.name}`}
                  {...(v === view && { 'aria-current': 'page' })}
                >
                  {v.title}
                </a>
              ))}
            </Fragment>
          ))}
        </nav>
      )}
      <Trouble>
        {!connected.value &&
          'The console does not answer, or has no room for another viewer: this page asks again by itself. ' +
            'If the console was started anew, open the address that it printed.'}
        {trouble.value}
      </Trouble>
      <main>
        {isThere ? (
          <Drawn of={view} draw={(shown) => shown?.show(new URLSearchParams(query))} />
        ) : (
          <p class="empty">
            The console was started without a source for this view: firedrill console --help.
          </p>
        )}
      </main>
    </>
  );
}

tick();
listen();
render(<Page />, document.getElementById('page') as HTMLElement);
