/**
 * Shows values under the pointer in a figure: a line through every panel, and the values of the panel below the
 * pointer. Times come from the paths, values from `data-values`. Arrow keys move the line, too.
 */
import './folds.js';

interface Line {
  path: SVGPathElement;
  /** Pairs of x in the figure's units and the value there. */
  points: [number, number][];
  /** Whether a value holds until the next one. */
  steps: boolean;
}

interface Panel {
  group: SVGGElement;
  lines: Line[];
}

const svgName = 'http://www.w3.org/2000/svg';

function lineOf(path: SVGPathElement): Line {
  const values = (path.dataset.values ?? '').split(' ').map(Number);
  const d = path.getAttribute('d') ?? '';
  const places = [...d.matchAll(/[MLH](-?[\d.]+)/g)].map((m) => Number(m[1]));
  return { path, points: places.map((x, i) => [x, values[i] ?? NaN]), steps: d.includes('H') };
}

function valueAt({ points, steps }: Line, x: number): number | undefined {
  if (steps) return points.findLast(([at]) => at <= x + 0.05)?.[1];
  let best: [number, number] | undefined;
  for (const point of points) {
    if (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
  }
  return best?.[1];
}

function drawn<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(svgName, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** The panel's title with the moment, and a row for each line: stroke, name and value. */
function rowsOf({ group, lines }: Panel, x: number, moment: string): Element[] {
  const { title = '', factor = '1', suffix = '' } = group.dataset;
  const head = document.createElement('b');
  head.textContent = `${title}, ${moment}`;
  const rows = lines.map((line) => {
    const value = valueAt(line, x);
    const row = document.createElement('span');
    const name = line.path.querySelector('title')?.textContent ?? '';
    const text =
      value === undefined ? 'no data' : Number((value * Number(factor)).toPrecision(4)) + suffix;
    row.textContent = `${name} ${text}`;
    const key = drawn('svg', { viewBox: '0 0 20 8', 'aria-hidden': 'true' });
    key.append(drawn('path', { d: 'M0 4h20', class: line.path.getAttribute('class') ?? '' }));
    row.prepend(key);
    return row;
  });
  return [head, ...rows];
}

function momentText(ms: number, zeroMs: number, isShort: boolean): string {
  const clock = `${new Date(ms).toISOString().slice(11, isShort ? 21 : 19)} UTC`;
  if (Number.isNaN(zeroMs)) return clock;
  const since = (ms - zeroMs) / 1000;
  return `${clock}, ${since < 0 ? '' : '+'}${since.toFixed(1)} s`;
}

function follow(svg: SVGSVGElement): void {
  const around = svg.parentElement;
  const [left = 0, right = 0, startMs = 0, endMs = 0, zeroMs = NaN] = (svg.dataset.frame ?? '')
    .split(' ')
    .map(Number);
  const panels = [...svg.querySelectorAll<SVGGElement>('.panel')].map((group) => ({
    group,
    lines: [...group.querySelectorAll<SVGPathElement>('path[data-values]')].map(lineOf),
  }));
  if (!around || panels.length === 0) return;
  const said = document.createElement('div');
  said.className = 'said-of-figure';
  said.hidden = true;
  said.setAttribute('role', 'status');
  around.append(said);
  const bottoms = panels.map(({ group }) => Number(group.dataset.bottom));
  const pointer = drawn('line', { class: 'pointer', y1: '0', y2: String(Math.max(...bottoms)) });
  let at = left;
  let shown = 0;
  const hide = (): void => {
    said.hidden = true;
    pointer.remove();
  };
  const show = (): void => {
    at = Math.max(left, Math.min(right, at));
    shown = Math.max(0, Math.min(panels.length - 1, shown));
    const panel = panels[shown] as Panel;
    pointer.setAttribute('x1', String(at));
    pointer.setAttribute('x2', String(at));
    svg.append(pointer);
    const ms = startMs + ((at - left) / (right - left)) * (endMs - startMs);
    said.replaceChildren(...rowsOf(panel, at, momentText(ms, zeroMs, endMs - startMs < 600_000)));
    said.hidden = false;
    const [own, outer] = [svg.getBoundingClientRect(), around.getBoundingClientRect()];
    const scale = own.width / svg.viewBox.baseVal.width;
    const x = own.left - outer.left + at * scale;
    const beside = x > outer.width / 2 ? x - said.offsetWidth - 14 : x + 14;
    said.style.left = `${Math.max(0, Math.min(outer.width - said.offsetWidth, beside))}px`;
    said.style.top = `${own.top - outer.top + Number(panel.group.dataset.top) * scale}px`;
  };
  svg.addEventListener('pointermove', (event) => {
    const own = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / own.width;
    at = (event.clientX - own.left) * scale;
    if (at < left - 4 || at > right + 4) return hide();
    const y = (event.clientY - own.top) * scale;
    const found = bottoms.findIndex((bottom) => y <= bottom + 12);
    shown = found < 0 ? panels.length - 1 : found;
    show();
  });
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('blur', hide);
  svg.tabIndex = 0;
  svg.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide();
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (aside === 0 && down === 0) return;
    event.preventDefault();
    at += (aside * (right - left)) / (event.shiftKey ? 20 : 200);
    shown += down;
    show();
  });
}

for (const svg of document.querySelectorAll<SVGSVGElement>('svg.figure')) follow(svg);
