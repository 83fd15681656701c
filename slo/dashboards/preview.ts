/** Dashboards as one HTML page without external resources, to be looked at without Grafana. */
import { logRange, type Range, roundRange } from '../../base/axis.js';
import { escapeHtml } from '../../base/drawing/escape.js';
import { frameData, hover } from '../../base/drawing/hover.js';
import { markup } from '../../base/drawing/html.js';
import { lineClass, lineColours } from '../../base/drawing/lines.js';
import { panelSvg } from '../../base/drawing/panel.js';
import { figureStyle } from '../../base/drawing/style.js';
import { axisHeight, clockAxis } from '../../base/drawing/time-axis.js';
import type { SampleSeries } from '../budget/prometheus.js';
import { type Answers, panelKey } from './answers.js';
import type { Dashboard, Panel, Unit } from './model.js';

/** A value as text in its unit. */
export function valueText(value: number | undefined, unit: Unit): string {
  if (value === undefined || Number.isNaN(value)) return 'no data';
  const digits = (x: number): string => {
    const size = Math.abs(x);
    return x.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size === 0 || size >= 1 ? 2 : 3);
  };
  switch (unit) {
    case 'ratio':
      if (value > 0.99 && value < 1) return `${(value * 100).toFixed(3)}%`;
      return `${(value * 100).toFixed(Math.abs(value) >= 10 ? 0 : 1)}%`;
    case 'percent':
      return `${digits(value)}%`;
    case 'per-second':
      return `${digits(value)}/s`;
    case 'ms':
      return `${digits(value)} ms`;
    case 's': {
      const size = Math.abs(value);
      if (size >= 172_800) return `${digits(value / 86_400)} d`;
      if (size >= 7200) return `${digits(value / 3600)} h`;
      return size >= 120 ? `${digits(value / 60)} min` : `${digits(value)} s`;
    }
    case 'bytes':
      return value >= 1e6 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e3)} kB`;
    case 'times':
      return `${digits(value)}x`;
    default:
      return Number.isInteger(value) ? String(value) : digits(value);
  }
}

function colour(value: number | undefined, panel: Panel): string {
  const t = panel.thresholds;
  if (!t || value === undefined || Number.isNaN(value)) return 'var(--ink)';
  const reached = (x: number): boolean => (t.falling ? value < x : value >= x);
  return reached(t.bad) ? 'var(--bad)' : reached(t.warn) ? 'var(--warn)' : 'var(--good)';
}

const legendOf = (labels: Record<string, string>, legend: string | undefined): string =>
  legend?.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => labels[name] ?? '') ??
  Object.entries(labels)
    .filter(([k]) => k !== '__name__')
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

const [width, height] = [600, 200];
const [left, right, top] = [62, 10, 10];

function plot(panel: Panel, queries: SampleSeries[][], startMs: number, endMs: number): string {
  const lines = queries
    .flatMap((list, i) => list.map((s) => ({ ...s, legend: panel.queries[i]?.legend })))
    .map(({ labels, points, legend }, kind) => {
      return { name: legendOf(labels, legend) || panel.title, points, kind };
    });
  const values = lines.flatMap((l) => l.points.map(([, v]) => v)).filter((v) => Number.isFinite(v));
  if (values.length === 0) return '<p class="none">no data</p>';
  const frame = { startMs, endMs, width, left, right };
  const drawn = panelSvg(
    {
      title: panel.title,
      lines,
      range: rangeOf(values, panel),
      textOf: (v) => tickText(v, panel.unit),
      thresholds: marksOf(panel),
      said: saidOf[panel.unit],
    },
    { frame, top, height: height - top, legend: 'none' },
  );
  const keys = lines.slice(0, 12).map(({ name, points, kind }) => {
    const value = escapeHtml(leftText(points.at(-1)?.[1], panel));
    const line = `<svg viewBox="0 0 28 8"><path d="M0 4H28" class="line ${lineClass(kind)}"/></svg>`;
    return `<span>${line}${escapeHtml(name)} <b>${value}</b></span>`;
  });
  const more = lines.length > 12 ? `<span>and ${lines.length - 12} more</span>` : '';
  const picture = markup`<svg class="figure" viewBox="0 0 ${width} ${height + axisHeight}" role="img"
 aria-label="${panel.title}" data-frame="${frameData(frame)}">${drawn}${clockAxis(frame, height)}</svg>`;
  return `<div class="with-figure">${picture.text}</div><div class="legend">${keys.join('')}${more}</div>`;
}

/** Writes a round number as `10x`, where a value would be `10.0x`. */
const tickText = (value: number, unit: Unit): string =>
  valueText(value, unit).replace(/\d+\.\d+/, (digits) => String(Number(digits)));

/** Factor and suffix of values under the pointer, by unit. */
const saidOf: Record<Unit, { factor: number; suffix: string }> = {
  ratio: { factor: 100, suffix: '%' },
  percent: { factor: 1, suffix: '%' },
  'per-second': { factor: 1, suffix: '/s' },
  ms: { factor: 1, suffix: ' ms' },
  s: { factor: 1, suffix: ' s' },
  bytes: { factor: 1e-6, suffix: ' MB' },
  cores: { factor: 1, suffix: ' cores' },
  count: { factor: 1, suffix: '' },
  times: { factor: 1, suffix: 'x' },
};

/** Whether the panel shows a remaining budget, whose plot ends at 100% and is cut off below -100%. */
const isBudget = ({ unit, thresholds }: Panel): boolean =>
  unit === 'ratio' && thresholds?.falling === true && thresholds.bad === 0;

function rangeOf(values: readonly number[], panel: Panel): Range {
  const [least, most] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0]);
  if (isBudget(panel)) return roundRange(least < 0 ? -1 : 0, 1, 4);
  if (panel.log) return logRange(0.1, most);
  return roundRange(least, most, 4);
}

const marksOf = (panel: Panel): { at: number; text: string }[] =>
  panel.marks ??
  limitsOf(panel).map(({ at, name }) => ({ at, text: `${name} ${valueText(at, panel.unit)}` }));

const limitsOf = ({ thresholds }: Panel): { at: number; name: 'warn' | 'bad' }[] =>
  thresholds === undefined
    ? []
    : [
        { at: thresholds.warn, name: 'warn' as const },
        { at: thresholds.bad, name: 'bad' as const },
      ].filter(({ at }, i, all) => all.findIndex((other) => other.at === at) === i);

/** A budget overspent by more than itself is shown as the number of times that it was spent. */
const leftText = (value: number | undefined, panel: Panel): string =>
  value !== undefined && value < -1 && isBudget(panel)
    ? `over budget, ${(1 - value).toFixed(0)}x`
    : valueText(value, panel.unit);

/** Labels that come first in a row and in full: the subject of the row, and for an alert its service and owner. */
const firstLabels = ['alertname', 'slo', 'service', 'severity', 'owner'];
const hiddenLabels = new Set(['__name__', 'alertstate', 'time_scale']);

function labelsHtml(labels: Record<string, string>): string {
  const own = Object.entries(labels).filter(([key]) => !hiddenLabels.has(key));
  const first = firstLabels.flatMap((name) => own.filter(([key]) => key === name));
  const rest = own.filter(([key]) => !firstLabels.includes(key));
  const head = first.map(([key, value], i) =>
    i === 0
      ? `<b>${escapeHtml(value)}</b>`
      : `<span class="label">${key}=${escapeHtml(value)}</span>`,
  );
  const tail = rest.map(
    ([key, value]) => `<span class="label">${escapeHtml(key)}=${escapeHtml(value)}</span>`,
  );
  return [...head, ...tail].join(' ');
}

function tableOf(panel: Panel, series: SampleSeries[]): string {
  if (series.length === 0) return '<p class="none">none</p>';
  const rows = series.slice(0, 40).map((s) => {
    const value = s.points[0]?.[1];
    // A series of an alert only says that the alert fires.
    const said = s.labels.alertname === undefined ? valueText(value, panel.unit) : 'fires';
    const style = `style="color:${colour(value, panel)}"`;
    return `<tr><td>${labelsHtml(s.labels)}</td><td ${style}>${escapeHtml(said)}</td></tr>`;
  });
  const more = series.length > 40 ? `<p class="none">and ${series.length - 40} more</p>` : '';
  return `<table>${rows.join('')}</table>${more}`;
}

function panelHtml(panel: Panel, answers: Answers, key: string): string {
  const queries = answers.panels[key]?.queries ?? [];
  const value = queries[0]?.[0]?.points.at(-1)?.[1];
  const body =
    panel.kind === 'stat'
      ? value === undefined || Number.isNaN(value)
        ? '<p class="stat none">no data</p>'
        : `<p class="stat" style="color:${colour(value, panel)}">${escapeHtml(leftText(value, panel))}</p>`
      : panel.kind === 'table'
        ? tableOf(panel, queries[0] ?? [])
        : plot(panel, queries, answers.startMs, answers.endMs);
  const runbook =
    panel.runbook === undefined ? '' : ` <a href="${escapeHtml(panel.runbook)}">runbook</a>`;
  return (
    `<section style="grid-column:span ${panel.width}" title="${escapeHtml(panel.description)}">` +
    `<h3>${escapeHtml(panel.title)}${runbook}</h3>${body}</section>`
  );
}

const light =
  '--page:#eef1f5;--card:#fff;--ink:#1c2430;--quiet:#566072;--hair:#d8dee8;--grid:#e3e7ee;--bar:#1c2430;' +
  `--good:#0a6a4c;--warn:#8a5a00;--bad:#b3123a;--link:#1f55a8;${lineColours.light}`;
const dark =
  '--page:#101319;--card:#1c2025;--ink:#eef1f6;--quiet:#aab3c2;--hair:#3c4452;--grid:#2b313c;--bar:#191d25;' +
  `--good:#57d6a9;--warn:#e9b85a;--bad:#ff8aa2;--link:#8db8f7;${lineColours.dark}`;

const style = `:root{color-scheme:light dark;${light}}
@media(prefers-color-scheme:dark){:root{${dark}}}
html{scroll-padding-top:4rem}
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:var(--page);color:var(--ink)}
header{background:var(--bar);color:#fff;padding:.7rem 1.2rem;display:flex;gap:.3rem 1.2rem;overflow-x:auto;
white-space:nowrap;position:sticky;top:0;z-index:3}
header a{color:#cfe0ff;text-decoration:none}main{padding:1rem 1.2rem}h2{margin:1.4rem 0 .2rem}
.grid-of-panels{display:grid;grid-template-columns:repeat(24,1fr);gap:.7rem}.with-figure{max-width:780px}
section{background:var(--card);border:1px solid var(--hair);border-radius:6px;padding:.6rem .8rem;min-width:0}
h3{font-size:.95rem;margin:0 0 .3rem}h3 a{font-weight:400;font-size:.8rem;color:var(--link)}
.stat{font-size:2rem;font-weight:600;margin:.2rem 0}.none,.stat.none{color:var(--quiet);font-size:1rem;
font-weight:400}
${figureStyle}
.legend{font-size:.78rem;display:flex;gap:.2rem .9rem;flex-wrap:wrap}
.legend svg{width:28px;height:8px;margin-right:.3em}table{width:100%;border-collapse:collapse;font-size:.82rem}
td{border-top:1px solid var(--hair);padding:.25rem;overflow-wrap:anywhere}
td:last-child{text-align:right;font-weight:600;white-space:nowrap}
.label{color:var(--quiet)}
@media(max-width:900px){section{grid-column:span 24!important}}
@media(max-width:560px){svg.figure text,svg.figure .tick,svg.figure .unit,svg.figure .threshold-name{font-size:17px}}`;

/** One page with all dashboards below each other, and links to them at the top. */
export function previewHtml(dashboards: readonly Dashboard[], answers: Answers): string {
  const links = dashboards.map((d) => `<a href="#${d.uid}">${escapeHtml(d.title)}</a>`);
  const parts = dashboards.map((d) => {
    const panels = d.panels.map((p) => panelHtml(p, answers, panelKey(d, p.title)));
    return (
      `<h2 id="${d.uid}">${escapeHtml(d.title)}</h2><p>${escapeHtml(d.description)}</p>` +
      `<div class="grid-of-panels">${panels.join('\n')}</div>`
    );
  });
  const at = new Date(answers.endMs).toISOString().slice(0, 19);
  const { policy, script } = hover();
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboards</title>' +
    `<meta http-equiv="content-security-policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width"><style>${style}</style>` +
    `<header><b>Firedrill dashboards, ${at} UTC</b>${links.join('')}</header>` +
    `<main>${parts.join('\n')}</main>${script}</html>\n`
  );
}
