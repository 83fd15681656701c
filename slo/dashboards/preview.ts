/** Dashboards as one HTML page that opens offline, so that they can be looked at with no Grafana. */
import type { SampleSeries } from '../budget/prometheus.js';
import { type Answers, panelKey } from './answers.js';
import type { Dashboard, Panel, Unit } from './model.js';

const escape = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** A value as a person reads it in its unit. */
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

const palette = [
  '#2f6fde',
  '#d9822b',
  '#1d9a6c',
  '#b3429b',
  '#7a5af0',
  '#8a6d3b',
  '#0aa2b5',
  '#c23b3b',
];

const legendOf = (labels: Record<string, string>, legend: string | undefined): string =>
  legend?.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => labels[name] ?? '') ??
  Object.entries(labels)
    .filter(([k]) => k !== '__name__')
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

function plot(panel: Panel, queries: SampleSeries[][], startMs: number, endMs: number): string {
  const lines = queries.flatMap((list, i) =>
    list.map((s) => ({ ...s, name: legendOf(s.labels, panel.queries[i]?.legend) })),
  );
  const values = lines.flatMap((l) => l.points.map(([, v]) => v)).filter((v) => Number.isFinite(v));
  if (values.length === 0) return '<p class="none">no data</p>';
  const [width, height, left, bottom] = [600, 200, 62, 20];
  const low = Math.min(0, ...values);
  const high = Math.max(...values) === low ? low + 1 : Math.max(...values);
  const x = (t: number): number => left + ((t - startMs) / (endMs - startMs)) * (width - left - 6);
  const y = (v: number): number => 6 + (1 - (v - low) / (high - low)) * (height - bottom - 6);
  const grid = [low, (low + high) / 2, high].map(
    (v) =>
      `<line x1="${left}" x2="${width}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" class="grid"/>` +
      `<text x="${left - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">${escape(valueText(v, panel.unit))}</text>`,
  );
  const times = [0, 0.5, 1].map((share) => {
    const t = startMs + share * (endMs - startMs);
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
    const clock = new Date(t).toISOString().slice(11, 19);
    return `<text x="${x(t).toFixed(1)}" y="${height - 4}" text-anchor="${anchor}">${clock}</text>`;
  });
  const limits = [panel.thresholds?.warn, panel.thresholds?.bad].map((v, i) =>
    v !== undefined && v > low && v < high
      ? `<line x1="${left}" x2="${width}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" class="limit${i}"/>`
      : '',
  );
  const paths = lines.map(({ points }, i) => {
    let text = '';
    let drawing = false;
    for (const [t, v] of points) {
      if (!Number.isFinite(v)) {
        drawing = false;
        continue;
      }
      text += `${drawing ? 'L' : 'M'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      drawing = true;
    }
    return `<path d="${text}" stroke="${palette[i % palette.length]}"/>`;
  });
  const keys = lines.slice(0, 12).map((l, i) => {
    const last = l.points.at(-1)?.[1];
    const name = escape(l.name === '' ? panel.title : l.name);
    const value = escape(valueText(last, panel.unit));
    return `<span><i style="background:${palette[i % palette.length]}"></i>${name} <b>${value}</b></span>`;
  });
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(panel.title)}">` +
    `${grid.join('')}${limits.join('')}${times.join('')}${paths.join('')}</svg>` +
    `<div class="legend">${keys.join('')}</div>`
  );
}

function tableOf(panel: Panel, series: SampleSeries[]): string {
  if (series.length === 0) return '<p class="none">none</p>';
  const rows = series.slice(0, 40).map((s) => {
    const value = s.points[0]?.[1];
    const name = Object.entries(s.labels)
      .filter(([key]) => !['__name__', 'alertstate'].includes(key))
      .map(([key, label]) => `<span class="label">${escape(key)}=<b>${escape(label)}</b></span>`);
    const style = `style="color:${colour(value, panel)}"`;
    return `<tr><td>${name.join(' ')}</td><td ${style}>${escape(valueText(value, panel.unit))}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function panelHtml(panel: Panel, answers: Answers, key: string): string {
  const queries = answers.panels[key]?.queries ?? [];
  const value = queries[0]?.[0]?.points.at(-1)?.[1];
  const body =
    panel.kind === 'stat'
      ? `<p class="stat" style="color:${colour(value, panel)}">${escape(valueText(value, panel.unit))}</p>`
      : panel.kind === 'table'
        ? tableOf(panel, queries[0] ?? [])
        : plot(panel, queries, answers.startMs, answers.endMs);
  const runbook =
    panel.runbook === undefined ? '' : ` <a href="${escape(panel.runbook)}">runbook</a>`;
  return (
    `<section style="grid-column:span ${panel.width}" title="${escape(panel.description)}">` +
    `<h3>${escape(panel.title)}${runbook}</h3>${body}</section>`
  );
}

const style = `:root{--ink:#1c2430;--good:#1d8f5f;--warn:#b8860b;--bad:#c62828}
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:#eef1f5;color:var(--ink)}
header{background:#1c2430;color:#fff;padding:.7rem 1.2rem;display:flex;gap:1.2rem;flex-wrap:wrap}
header a{color:#cfe0ff;text-decoration:none}main{padding:1rem 1.2rem}h2{margin:1.4rem 0 .2rem}
.grid-of-panels{display:grid;grid-template-columns:repeat(24,1fr);gap:.7rem}
section{background:#fff;border-radius:6px;padding:.6rem .8rem;min-width:0;overflow:hidden}
h3{font-size:.95rem;margin:0 0 .3rem}h3 a{font-weight:400;font-size:.8rem}
.stat{font-size:2rem;font-weight:600;margin:.2rem 0}.none{color:#777}
svg{width:100%;height:auto}svg text{font-size:11px;fill:#667}path{fill:none;stroke-width:1.6}
.grid{stroke:#e3e7ee}.limit0{stroke:#e0b040;stroke-dasharray:4}.limit1{stroke:#d05050;stroke-dasharray:4}
.legend{font-size:.78rem;display:flex;gap:.2rem .9rem;flex-wrap:wrap}.legend i{display:inline-block;width:.7em;
height:.7em;border-radius:2px;margin-right:.3em}table{width:100%;border-collapse:collapse;font-size:.82rem}
td{border-top:1px solid #eee;padding:.25rem}td:last-child{text-align:right;font-weight:600}
.label{color:#667;white-space:nowrap}.label b{color:var(--ink);font-weight:500}
@media(max-width:900px){section{grid-column:span 24!important}}`;

/** The page with every dashboard below the other, linked at the top. */
export function previewHtml(dashboards: readonly Dashboard[], answers: Answers): string {
  const links = dashboards.map((d) => `<a href="#${d.uid}">${escape(d.title)}</a>`);
  const parts = dashboards.map((d) => {
    const panels = d.panels.map((p) => panelHtml(p, answers, panelKey(d, p.title)));
    return (
      `<h2 id="${d.uid}">${escape(d.title)}</h2><p>${escape(d.description)}</p>` +
      `<div class="grid-of-panels">${panels.join('\n')}</div>`
    );
  });
  const at = new Date(answers.endMs).toISOString().slice(0, 19);
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboards</title>' +
    `<meta name="viewport" content="width=device-width"><style>${style}</style>` +
    `<header><b>Firedrill dashboards, ${at} UTC</b>${links.join('')}</header>` +
    `<main>${parts.join('\n')}</main></html>\n`
  );
}
