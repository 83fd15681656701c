/** The control plane: proxies that lag behind it, and a time line of each identity's certificates. */
import type { Platform } from '../mesh.js';
import { serverNow } from './drill-state.js';
import { Sized, TimeAxis, timeFrame } from './frame.js';
import { From } from './source.js';
import { Table } from './table.js';
import { clock, dayAndClock, span } from './words.js';
import { Figures } from './figures.js';

const rowHeight = 30;
const maxRows = 200;

export function PlatformView() {
  return (
    <div class="page">
      <h1>Platform</h1>
      <From<Platform> from="platform" everyMs={3000}>
        {(platform) => <What platform={platform} />}
      </From>
    </div>
  );
}

function What({ platform }: { platform: Platform }) {
  const { state, proxies, problems } = platform;
  const lag = proxies.filter((p) => p.owed > 0 || !p.bundleCurrent).length;
  const rows: [string, string][] = [
    ['trust domain', state.trustDomain],
    ['this controller', state.leading ? 'leads' : 'stands by'],
    ['version of its catalogue', String(state.version)],
    [
      'issuer until',
      state.issuer ? `${dayAndClock(Date.parse(state.issuer.notAfter))} UTC` : 'none',
    ],
    ['connected proxies', String(proxies.length)],
    ['proxies that lag', String(lag)],
  ];
  return (
    <>
      <Figures rows={rows} />
      <Lives platform={platform} />
      <section>
        <h2>Proxies of this control plane</h2>
        <Table
          label="proxies"
          rows={proxies.toSorted((a, b) => (a.workload < b.workload ? -1 : 1))}
          keyOf={(p) => String(proxies.indexOf(p))}
          textOf={(p) => `${p.workload} ${p.identity}`}
          empty="No proxy is connected."
          columns={[
            { title: 'workload', cell: (p) => p.workload },
            { title: 'identity', share: 3, cell: (p) => p.identity },
            { title: 'updates owed', number: true, cell: (p) => String(p.owed) },
            { title: 'updates refused', number: true, cell: (p) => String(p.refused) },
            {
              title: 'trust bundle',
              cell: (p) => (
                <span class={p.bundleCurrent ? 'held' : 'late'}>
                  {p.bundleCurrent ? '✓ current' : '✗ old'}
                </span>
              ),
            },
            {
              title: 'clock ahead',
              number: true,
              cell: (p) => `${p.clockSkewSeconds.toFixed(2).replace('-0.00', '0.00')} s`,
            },
          ]}
        />
      </section>
      <section>
        <h2>Other events of certificates (UTC), the latest first</h2>
        {problems.length === 0 && (
          <p class="empty">Certificates were issued and renewed, and nothing else was recorded.</p>
        )}
        <ul class="plain">
          {problems.map(({ atMs, text }) => (
            <li key={`${atMs} ${text}`}>
              <time>{dayAndClock(atMs)}</time> {text}
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

function Lives({ platform: { lives } }: { platform: Platform }) {
  const all = lives.flatMap((l) => l.certificates);
  if (all.length === 0) {
    return (
      <section>
        <h2>Lives of identities</h2>
        <p class="empty">No certificate was issued since this controller started.</p>
      </section>
    );
  }
  const nowMs = serverNow();
  const fromMs = Math.min(...all.map((c) => c.fromMs));
  const toMs = Math.max(nowMs, ...all.map((c) => c.untilMs));
  const shown = lives.slice(0, maxRows);
  return (
    <section>
      <h2>Lives of identities: each bar is a certificate, from its issue to its end</h2>
      <Sized>
        {(width) => {
          const frame = timeFrame(fromMs, toMs, width);
          const height = shown.length * rowHeight;
          const label = shown
            .map(({ identity, certificates }) => {
              const last = certificates.at(-1);
              return `${identity}: ${certificates.length} certificates, the last until ${clock(last?.untilMs ?? 0)}`;
            })
            .join('; ');
          return (
            <svg width={width} height={height + 24} role="img" aria-label={label}>
              {shown.map(({ identity, certificates }, row) => (
                <g key={identity}>
                  <text class="lane-text" x={0} y={row * rowHeight + 12}>
                    {identity}
                  </text>
                  {certificates.map(({ fromMs: from, untilMs, renewed }, i) => (
                    <rect
                      key={i}
                      class={`life ${untilMs < nowMs ? 'over' : ''}`}
                      x={frame.x(from)}
                      y={row * rowHeight + 16}
                      rx={2}
                      width={Math.max(2, frame.x(untilMs) - frame.x(from))}
                      height={9}
                    >
                      <title>
                        {renewed ? 'renewed' : 'issued'} {clock(from)}, ends {clock(untilMs)},{' '}
                        {span(untilMs - from)}
                      </title>
                    </rect>
                  ))}
                </g>
              ))}
              <line class="cursor" x1={frame.x(nowMs)} x2={frame.x(nowMs)} y1={0} y2={height} />
              <TimeAxis frame={frame} y={height} />
            </svg>
          );
        }}
      </Sized>
      {lives.length > shown.length && (
        <p class="soft">{lives.length - shown.length} more identities are not drawn.</p>
      )}
    </section>
  );
}
