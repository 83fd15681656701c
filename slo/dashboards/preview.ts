/** Dashboards as one HTML page that opens offline, so that they can be looked at with no Grafana. */
import { linearScale, linearTicks, tickTime, timeTicks } from '../../base/axis.js';
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

/** Colours of the style below, each with a dash of its own: six lines are told apart without colour. */
const lineKinds = 6;

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
  const { low, high, ticks } = axisOf(values, panel);
  const x = linearScale([startMs, endMs], [left, width - 6]);
  const y = linearScale([low, high], [height - bottom, 10]);
  const across = (v: number, name: string): string =>
    `<line x1="${left}" x2="${width - 6}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" class="${name}"/>`;
  const grid = ticks.map(
    (v) =>
      `${across(v, 'grid')}<text x="${left - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">` +
      `${escape(valueText(v, panel.unit))}</text>`,
  );
  const moments = timeTicks(startMs, endMs, 5);
  const step = (moments[1] ?? endMs) - (moments[0] ?? startMs);
  const times = moments.map(
    (t) =>
      `<text x="${x(t).toFixed(1)}" y="${height - 4}" text-anchor="middle">${tickTime(t, step)}</text>`,
  );
  const limits = limitsOf(panel)
    .filter(({ at }) => at > low && at < high)
    .map(
      ({ at, name }) =>
        `${across(at, `limit ${name}`)}<text class="limit-name" x="${width - 6}" y="${(y(at) - 3).toFixed(1)}"` +
        ` text-anchor="end">${name} ${escape(valueText(at, panel.unit))}</text>`,
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
    return `<path d="${text}" class="c${i % lineKinds}"/>`;
  });
  const keys = lines.slice(0, 12).map((l, i) => {
    const last = l.points.at(-1)?.[1];
    const name = escape(l.name === '' ? panel.title : l.name);
    const value = escape(leftText(last, panel));
    const line = `<svg viewBox="0 0 28 8"><path d="M0 4H28" class="c${i % lineKinds}"/></svg>`;
    return `<span>${line}${name} <b>${value}</b></span>`;
  });
  const more = lines.length > 12 ? `<span>and ${lines.length - 12} more</span>` : '';
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(panel.title)}">` +
    `${grid.join('')}${times.join('')}${paths.join('')}${limits.join('')}</svg>` +
    `<div class="legend">${keys.join('')}${more}</div>`
  );
}

/** A budget is a share of what was allowed: it ends at 100%, and below -100% a plot says nothing more. */
const isBudget = ({ unit, thresholds }: Panel): boolean =>
  unit === 'ratio' && thresholds?.falling === true && thresholds.bad === 0;

/** Round ends around the values, with the first threshold beyond them. */
function axisOf(
  values: readonly number[],
  panel: Panel,
): { low: number; high: number; ticks: number[] } {
  if (isBudget(panel)) {
    const low = Math.min(...values) < 0 ? -1 : 0;
    return { low, high: 1, ticks: linearTicks(low, 1, 4) };
  }
  const least = Math.min(0, ...values);
  const most = Math.max(...values);
  const wanted = most > least ? most + (most - least) * 0.08 : least + 1;
  return { low: least, high: wanted, ticks: linearTicks(least, wanted, 4) };
}

const limitsOf = ({ thresholds }: Panel): { at: number; name: 'warn' | 'bad' }[] =>
  thresholds === undefined
    ? []
    : [
        { at: thresholds.warn, name: 'warn' as const },
        { at: thresholds.bad, name: 'bad' as const },
      ].filter(({ at }, i, all) => all.findIndex((other) => other.at === at) === i);

/** A budget that is overspent by more than itself is told as how often it was spent. */
const leftText = (value: number | undefined, panel: Panel): string =>
  value !== undefined && value < -1 && isBudget(panel)
    ? `over budget, ${(1 - value).toFixed(0)}x`
    : valueText(value, panel.unit);

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
      ? value === undefined || Number.isNaN(value)
        ? '<p class="stat none">no data</p>'
        : `<p class="stat" style="color:${colour(value, panel)}">${escape(leftText(value, panel))}</p>`
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

const light =
  '--page:#eef1f5;--card:#fff;--ink:#1c2430;--soft:#566072;--hair:#e3e7ee;--bar:#1c2430;' +
  '--good:#0a6a4c;--warn:#8a5a00;--bad:#b3123a;' +
  '--c0:#1f5fbf;--c1:#b04a00;--c2:#0a7158;--c3:#8136ad;--c4:#6f5a05;--c5:#ad1f5c';
const dark =
  '--page:#101319;--card:#191d25;--ink:#eef1f6;--soft:#aab3c2;--hair:#313846;--bar:#191d25;' +
  '--good:#57d6a9;--warn:#e9b85a;--bad:#ff8aa2;' +
  '--c0:#7fb2ff;--c1:#ffa15c;--c2:#4fd0aa;--c3:#cf9bf2;--c4:#dcc257;--c5:#ff8fbb';
const dashes = ['none', '8 3', '2 3', '10 3 2 3', '5 2', '12 4'];
const kinds = dashes.map((dash, i) => `.c${i}{stroke:var(--c${i});stroke-dasharray:${dash}}`);

const style = `:root{color-scheme:light dark;${light}}
@media(prefers-color-scheme:dark){:root{${dark}}}
body{font:15px/1.45 system-ui,sans-serif;margin:0;background:var(--page);color:var(--ink)}
header{background:var(--bar);color:#fff;padding:.7rem 1.2rem;display:flex;gap:.3rem 1.2rem;flex-wrap:wrap;
position:sticky;top:0}
header a{color:#cfe0ff;text-decoration:none}main{padding:1rem 1.2rem}h2{margin:1.4rem 0 .2rem;scroll-margin-top:4rem}
.grid-of-panels{display:grid;grid-template-columns:repeat(24,1fr);gap:.7rem}
section{background:var(--card);border-radius:6px;padding:.6rem .8rem;min-width:0;overflow:hidden}
h3{font-size:.95rem;margin:0 0 .3rem}h3 a{font-weight:400;font-size:.8rem;color:var(--c0)}
.stat{font-size:2rem;font-weight:600;margin:.2rem 0}.none,.stat.none{color:var(--soft);font-size:1rem;font-weight:400}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--soft)}path{fill:none;stroke-width:1.8}
${kinds.join('')}
.grid{stroke:var(--hair)}.limit{stroke:var(--bad);stroke-dasharray:4 3}.limit.warn{stroke:var(--warn)}
svg .limit-name{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:3px}
.legend{font-size:.78rem;display:flex;gap:.2rem .9rem;flex-wrap:wrap}
.legend svg{width:28px;height:8px;margin-right:.3em}table{width:100%;border-collapse:collapse;font-size:.82rem}
td{border-top:1px solid var(--hair);padding:.25rem}td:last-child{text-align:right;font-weight:600}
.label{color:var(--soft);white-space:nowrap}.label b{color:var(--ink);font-weight:500}
@media(max-width:900px){section{grid-column:span 24!important}svg text{font-size:15px}}`;

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
