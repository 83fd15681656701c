/** A backtest as one HTML page without external resources: incidents, firings and their scores. */
import { escapeHtml as e } from '../../../base/drawing/escape.js';
import { hover } from '../../../base/drawing/hover.js';
import { lineClass, lineColours } from '../../../base/drawing/lines.js';
import { figureStyle } from '../../../base/drawing/style.js';
import type { Firing } from './evaluate.js';
import type { IncidentScore } from './score.js';
import type { SloResult } from './run.js';
import { type Band, scatterPlot, timePlot } from './svg.js';
import type { Tuning } from './tune.js';
import { candidateText } from './tune-words.js';
import { foundText, moment, nameOf, severityText, share, span, theoryText } from './words.js';

const style = `:root{--ink:#1c2430;--quiet:#566072;--card:#fff;--hair:#e3e7ee;--grid:#e3e7ee;
${lineColours.light}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:#eef1f5;color:var(--ink)}
header{background:#1c2430;color:#fff;padding:.8rem 1.2rem}header p{margin:.2rem 0;color:#c5cede}
main{padding:1rem 1.2rem;max-width:1200px;margin:auto}
section{background:#fff;border-radius:6px;padding:.8rem 1rem;margin:0 0 1rem}
h1{font-size:1.25rem;margin:0}h2{font-size:1.1rem;margin:.1rem 0 .5rem}h3{font-size:.95rem;margin:1rem 0 .3rem}
${figureStyle}
table{width:100%;border-collapse:collapse;font-size:.85rem}th{text-align:left;color:#667;font-weight:500}
td,th{border-top:1px solid #eee;padding:.25rem .4rem;vertical-align:top}
.bad{color:#c62828;font-weight:600}.good{color:#1d8f5f}.legend{font-size:.8rem;color:#556}

.legend svg{width:28px;height:8px;margin:0 .3em 0 1em}.legend i{
display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 1em}
nav a{color:#cfe0ff;margin-right:1rem;font-size:.85rem}`;

const colours = {
  page: '#c62828',
  ticket: '#b8860b',
  noData: '#7a5af0',
};

const shadeOf: Record<string, string> = {
  page: 'rgba(198,40,40,.13)',
  ticket: 'rgba(184,134,11,.16)',
  'no-data': 'rgba(122,90,240,.15)',
  none: 'rgba(90,110,140,.10)',
};

export function backtestPage(
  results: readonly SloResult[],
  tunings: ReadonlyMap<string, Tuning>,
  source: string,
): string {
  const links = results.map((r, i) => `<a href="#s${i}">${e(nameOf(r))}</a>`);
  const sections = results.map((r, i) => section(r, i, tunings.get(r.slo)));
  const { policy, script } = hover();
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Backtest of alerts</title>' +
    `<meta http-equiv="content-security-policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width"><style>${style}</style>` +
    `<header><h1>Backtest: when these alerts would have fired</h1><p>${e(source)}</p>` +
    `<nav>${links.join('')}</nav></header><main>${overview(results)}${sections.join('\n')}</main>${script}</html>\n`
  );
}

function overview(results: readonly SloResult[]): string {
  const rows = results.map((r, i) => {
    const { page, ticket, budget } = r.score;
    const found = (of: typeof page): string =>
      `<span class="${of.found === of.expected ? 'good' : 'bad'}">${of.found} of ${of.expected}</span>`;
    const wrong = (n: number): string => (n === 0 ? '0' : `<span class="bad">${n}</span>`);
    return row([
      `<a href="#s${i}">${e(nameOf(r))}</a>`,
      `${r.objective}%`,
      found(page),
      wrong(page.wrong),
      page.perWeek.toFixed(1),
      found(ticket),
      wrong(ticket.wrong),
      share(budget.spent),
    ]);
  });
  const pages = ['pages found', 'for nothing', 'pages a week'];
  const header = ['SLO', 'objective', ...pages, 'tickets found', 'for nothing', 'budget spent'];
  return `<section>${table(header, rows)}</section>`;
}

const row = (cells: readonly string[]): string =>
  `<tr>${cells.map((c) => `<td>${c}</td>`).join('')}</tr>`;

const table = (header: readonly string[], rows: readonly string[]): string =>
  `<table><tr>${header.map((h) => `<th>${h}</th>`).join('')}</tr>${rows.join('')}</table>`;

function section(result: SloResult, index: number, tuning: Tuning | undefined): string {
  const { score } = result;
  return (
    `<section id="s${index}"><h2>${e(nameOf(result))}, ${result.objective}%</h2>` +
    `<p>${e(severityText('page', score.page))}<br>${e(severityText('ticket', score.ticket))}</p>` +
    `${plots(result)}${incidentTable(score.incidents)}${firingTable(result)}` +
    `${tuning ? tuningPart(tuning) : ''}</section>`
  );
}

const endText = (f: Firing): string =>
  f.resolvedMs === undefined ? 'the end' : moment(f.resolvedMs);

function plots(result: SloResult): string {
  const { plot, startMs, endMs } = result;
  if (!plot) return '';
  const shades = result.score.incidents.map((i): Band => ({
    from: i.startMs,
    to: i.endMs,
    colour: shadeOf[i.expect] ?? shadeOf.none!,
    title: `${i.name} (expected: ${i.expect}), ${moment(i.startMs)} for ${span(i.endMs - i.startMs)}`,
  }));
  const bands = (of: (f: Firing) => boolean, colour: string): Band[] =>
    result.firings.filter(of).map((f) => ({
      from: f.firedMs,
      to: f.resolvedMs ?? endMs,
      colour,
      title: `${f.alert} ${f.severity}: ${moment(f.firedMs)} to ${endText(f)}`,
    }));
  const { windows } = plot;
  const lines = [
    { name: 'each step', values: plot.burn },
    ...(windows
      ? [
          { name: `over ${span(windows.shortMs)}`, values: plot.short },
          { name: `over ${span(windows.longMs)}`, values: plot.long },
        ]
      : []),
  ];
  const times = { startMs, endMs };
  const burn = timePlot({
    ...times,
    title: 'burn rate',
    lines,
    shades,
    unit: 'x',
    logarithmic: true,
    rows: [
      { name: 'page', bands: bands((f) => f.severity === 'page', colours.page) },
      {
        name: 'ticket',
        bands: bands((f) => f.severity === 'ticket' && f.cause === 'burn', colours.ticket),
      },
      { name: 'no data', bands: bands((f) => f.cause === 'noData', colours.noData) },
    ].filter((r) => r.bands.length > 0),
    ...(windows
      ? { limit: { value: windows.factor, text: `pages above ${windows.factor}x` } }
      : {}),
  });
  const traffic = timePlot({
    ...times,
    title: 'traffic',
    shades: [],
    rows: [],
    unit: '',
    logarithmic: false,
    lines: [{ name: 'events a second', values: plot.traffic }],
  });
  const legend = lines
    .map(
      (l, i) =>
        `<svg viewBox="0 0 28 8"><path d="M0 4H28" class="line ${lineClass(i)}"/></svg>${e(l.name)}`,
    )
    .join('');
  return (
    `<h3>Burn rate</h3>${burn}<p class="legend">${legend}; ` +
    'shaded: incidents by expected alert; bars: firings. The pointer shows values, names and times.</p>' +
    `<h3>Events a second</h3>${traffic}`
  );
}

function incidentTable(incidents: readonly IncidentScore[]): string {
  if (incidents.length === 0) return '';
  const rows = incidents.map((i) => {
    const missed = i.expect !== 'none' && i.detectMs === undefined;
    return row([
      e(i.name),
      e(i.kind),
      `${moment(i.startMs)}, ${span(i.endMs - i.startMs)}`,
      e(i.expect),
      `<span class="${missed ? 'bad' : ''}">${e(foundText(i))}</span>`,
      `<span class="${i.asTheory === false ? 'bad' : ''}">${e(theoryText(i))}</span>`,
      i.resetMs === undefined ? '' : span(i.resetMs),
      i.expect === 'none' ? '' : share(i.budgetBefore),
      share(i.budgetSpent),
    ]);
  });
  const costs = ['reset after', 'budget before', 'budget spent'];
  const header = ['incident', 'kind', 'when', 'should cause', 'found after', 'theory', ...costs];
  return `<h3>Incidents</h3>${table(header, rows)}`;
}

const rowsMax = 200;

function firingTable(result: SloResult): string {
  const wrong = new Set(result.score.wrong);
  const judged = result.score.incidents.length > 0;
  const rows = result.firings
    .slice(0, rowsMax)
    .map((f) =>
      row([
        moment(f.firedMs),
        f.severity,
        e(f.alert),
        f.resolvedMs === undefined ? 'still firing' : span(f.resolvedMs - f.firedMs),
        !judged ? '' : wrong.has(f) ? '<span class="bad">false</span>' : 'of an incident',
      ]),
    );
  const more = result.firings.length - rowsMax;
  const rest = more > 0 ? `<p>and ${more} more</p>` : '';
  return `<h3>Firings</h3>${table(['at (UTC)', 'severity', 'alert', 'for', ''], rows)}${rest}`;
}

function tuningPart(tuning: Tuning): string {
  const { candidates, front, recommended, current } = tuning;
  const onFront = new Set(front);
  const points = [...candidates, current].map((c) => ({
    x: c.meanDetectMs / 60_000,
    y: c.wrong,
    colour:
      c === recommended
        ? '#1d8f5f'
        : c === current
          ? '#c62828'
          : onFront.has(c)
            ? '#2f6fde'
            : '#c9d1dd',
    radius: c === recommended || c === current ? 7 : onFront.has(c) ? 4.5 : 2.5,
    title:
      `${candidateText(c)}: found ${c.found} of ${c.expected} ` +
      `after a mean of ${span(c.meanDetectMs)}, ${c.wrong} false`,
  }));
  // One point stands for all candidates of equal speed and equally many false alarms.
  const distinct = new Map<string, (typeof points)[number]>();
  for (const point of points.sort((a, b) => a.radius - b.radius)) {
    if (Number.isFinite(point.x)) distinct.set(`${point.x.toFixed(1)} ${point.y}`, point);
  }
  const shown = [...distinct.values()].sort((a, b) => a.radius - b.radius);
  const axes = { x: 'mean detection time, minutes', y: 'false pages' };
  const rows = [...new Set([recommended, current, ...front])]
    .slice(0, 12)
    .map((c) =>
      row([
        (c === recommended
          ? '<b class="good">recommended</b> '
          : c === current
            ? '<b>current</b> '
            : '') + e(candidateText(c)),
        `${c.found} of ${c.expected}`,
        span(c.meanDetectMs),
        span(c.maxDetectMs),
        String(c.wrong),
      ]),
    );
  const header = ['windows', 'found', 'mean time', 'longest', 'false'];
  return (
    `<h3>Tuning: ${candidates.length} candidates over the same history</h3>` +
    `${scatterPlot('tuning', axes, shown)}<p class="legend"><i style="background:#1d8f5f"></i>recommended` +
    '<i style="background:#c62828"></i>current<i style="background:#2f6fde"></i>best in time or in false pages' +
    `<i style="background:#c9d1dd"></i>others</p>${table(header, rows)}`
  );
}
