/** Live requests: tapped with filters, paused, redacted by the proxies; and the decisions about recent requests. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { serverNow, stream } from './drill-state.js';
import { Silent } from './service-tables.js';
import { From } from './source.js';
import { Table } from './table.js';
import { type Request, requestsOf, type Whys } from './requests.js';
import { Waterfall } from './waterfall.js';
import { clock } from './words.js';

interface Line {
  key: string;
  atMs: number;
  proxy: string;
  service: string;
  route: string;
  method: string;
  path: string;
  status: number | undefined;
  classification: string;
  durationUs: number | undefined;
  retries: number;
  error: string;
}

/** This many of the latest lines are kept. */
const maxLines = 500;
const drawEveryMs = 250;
const noFilters = {
  direction: '',
  to: '',
  route: '',
  method: '',
  path: '',
  status: '',
  failures: '',
};
type Filters = typeof noFilters;

export function Requests() {
  const [filters, setFilters] = useState(noFilters);
  const [paused, setPaused] = useState(false);
  const { lines, said, silent } = useTap(filters, paused);
  return (
    <div class="page">
      <h1>Requests</h1>
      <section>
        <FilterForm {...{ filters, setFilters, paused, setPaused }} />
        <p role="status" class="soft">
          {said}
        </p>
        <Silent proxies={silent} />
        <Table<Line>
          label="requests"
          rows={lines}
          keyOf={(l) => l.key}
          empty="No request has come yet that these filters let through."
          columns={[
            { title: 'time', cell: (l) => clock(l.atMs) },
            { title: 'side', share: 0.6, cell: (l) => l.proxy },
            { title: 'service', share: 1.4, cell: (l) => l.service },
            { title: 'route', share: 1.2, cell: (l) => l.route },
            { title: 'request', share: 2, cell: requestOf },
            { title: 'answer', share: 1.6, cell: answerOf },
            {
              title: 'took',
              number: true,
              cell: (l) =>
                l.durationUs === undefined ? '…' : `${(l.durationUs / 1000).toFixed(1)} ms`,
            },
            { title: 'retries', number: true, share: 0.7, cell: (l) => String(l.retries) },
          ]}
        />
      </section>
      <Reasons />
    </div>
  );
}

/** A request may have begun before the tap, or beyond the limit of requests a second. */
const requestOf = ({ method, path }: Line) =>
  method === '' ? <span class="soft">its beginning was not seen</span> : `${method} ${path}`;

const answerOf = ({ status, classification, error }: Line) =>
  status === undefined ? (
    'under way'
  ) : (
    <span class={classification === 'failure' ? 'late' : ''}>
      {classification === 'failure' ? '✗ ' : ''}
      {status} {error}
    </span>
  );

interface FormProps {
  filters: Filters;
  setFilters: (filters: Filters) => void;
  paused: boolean;
  setPaused: (paused: boolean) => void;
}

function FilterForm({ filters, setFilters, paused, setPaused }: FormProps) {
  const [typed, setTyped] = useState(filters);
  const put = (name: keyof Filters, value: string): void => setTyped({ ...typed, [name]: value });
  const texts: [keyof Filters, string, string][] = [
    ['to', 'service', 'cart.retail'],
    ['route', 'route', ''],
    ['method', 'method', 'GET'],
    ['path', 'path begins with', '/'],
    ['status', 'status', '5xx'],
  ];
  return (
    <form
      class="filters"
      onSubmit={(e) => {
        e.preventDefault();
        // Always a new object: the proxies are asked anew.
        setFilters({ ...typed });
      }}
    >
      {texts.map(([name, label, placeholder]) => (
        <label key={name}>
          {label}
          <input
            value={typed[name]}
            placeholder={placeholder}
            onInput={(e) => put(name, e.currentTarget.value)}
          />
        </label>
      ))}
      <label>
        side
        <select value={typed.direction} onChange={(e) => put('direction', e.currentTarget.value)}>
          <option value="">both</option>
          <option value="inbound">inbound</option>
          <option value="outbound">outbound</option>
        </select>
      </label>
      <label>
        failures only
        <input
          type="checkbox"
          checked={typed.failures === 'yes'}
          onChange={(e) => put('failures', e.currentTarget.checked ? 'yes' : '')}
        />
      </label>
      <button type="submit">Filter</button>
      <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
        {paused ? 'Go on' : 'Pause'}
      </button>
    </form>
  );
}

interface Tapped {
  lines: readonly Line[];
  said: string;
  silent: readonly string[];
}

/** The proxies' lines, the latest first, drawn a few times a second. */
function useTap(filters: Filters, paused: boolean): Tapped {
  const kept = useRef<Map<string, Line>>(new Map());
  const still = useRef(paused);
  still.current = paused;
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [said, setSaid] = useState('');
  const [silent, setSilent] = useState<readonly string[]>([]);
  useEffect(() => {
    kept.current = new Map();
    setSilent([]);
    setSaid('Listening …');
    const close = stream(`/tap?${new URLSearchParams(filters).toString()}`, (source) => {
      const told = (e: MessageEvent): string => JSON.parse(e.data as string) as string;
      let why = '';
      source.addEventListener('message', (e) => {
        if (still.current) return;
        take(kept.current, JSON.parse(e.data as string) as Record<string, unknown>);
      });
      source.addEventListener('silent', (e) => setSilent(JSON.parse(e.data as string) as string[]));
      source.addEventListener('refused', (e) => {
        setSaid(`Refused: ${told(e)}`);
        source.close();
      });
      source.addEventListener('open', () => {
        why = '';
        setSilent([]);
        setSaid('Listening; headers and secrets are redacted.');
      });
      source.addEventListener('over', (e) => (why = told(e)));
      source.addEventListener('error', () =>
        setSaid(
          why === ''
            ? 'The tap has ended, or the console has no room for another. It begins again by itself.'
            : `No data: ${why}. The tap begins again by itself.`,
        ),
      );
    });
    const timer = setInterval(() => {
      if (!still.current) setLines([...kept.current.values()].toReversed());
    }, drawEveryMs);
    return () => {
      close();
      clearInterval(timer);
    };
  }, [filters]);
  return { lines, said: paused ? 'Paused: later requests are not kept.' : said, silent };
}

function take(kept: Map<string, Line>, event: Record<string, unknown>): void {
  const text = (name: string): string => (typeof event[name] === 'string' ? event[name] : '');
  const number = (name: string): number | undefined =>
    typeof event[name] === 'number' ? event[name] : undefined;
  const key = `${text('id')} ${text('src')}`;
  const before = kept.get(key);
  const isEnd = event.event === 'end';
  kept.set(key, {
    key,
    atMs: before?.atMs ?? serverNow(),
    proxy: text('proxy'),
    service: text('service'),
    route: text('route'),
    method: before?.method ?? text('method'),
    path: before?.path ?? text('path'),
    status: isEnd ? number('status') : before?.status,
    classification: isEnd ? text('classification') : '',
    durationUs: isEnd ? number('durationUs') : undefined,
    retries: number('retries') ?? 0,
    error: text('error'),
  });
  const [oldest] = kept.keys();
  if (kept.size > maxLines && oldest !== undefined) kept.delete(oldest);
}

/** This many of the latest requests are drawn. */
const shownRequests = 30;

/** The latest recorded requests: each proxy's part on a time axis, and its decisions in its own words. */
function Reasons() {
  return (
    <section>
      <h2>
        Why: the proxies' decisions on the latest requests (all failures, and one in 128 of the
        others)
      </h2>
      <From<Whys> from="why" everyMs={5000}>
        {({ found, silent }) => (
          <>
            <Silent proxies={silent} />
            {found.length === 0 && (
              <p class="empty">No proxy that answers has recorded a request yet.</p>
            )}
            {requestsOf(found)
              .slice(0, shownRequests)
              .map((request) => (
                <Why key={request.id} request={request} />
              ))}
          </>
        )}
      </From>
    </section>
  );
}

/** Drawn only when opened: thirty hidden waterfalls would be wasted work. */
function Why({ request: { parts } }: { request: Request }) {
  const [isOpen, setOpen] = useState(false);
  const why = parts[0]?.why;
  if (!why) return null;
  const failed = parts.some((p) => p.why.verdict.classification === 'failure');
  return (
    <details onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        {why.time.slice(11, 23)} <span class={failed ? 'late' : ''}>{why.verdict.status}</span>{' '}
        {why.method} {why.path} to {why.dst || 'no known destination'}, at{' '}
        {parts.map((p) => p.proxy).join(', ')}
        <span class="soft"> {why.requestId ?? why.traceId ?? 'without an id'}</span>
      </summary>
      {isOpen && (
        <>
          <Waterfall parts={parts} />
          <pre tabIndex={0}>{parts.map((p) => p.text).join('\n\n')}</pre>
        </>
      )}
    </details>
  );
}
