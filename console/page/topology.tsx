/**
 * The calls between services, the struck services, and the blast radius. Callers are drawn left of the services they
 * call.
 */
import { blastRadius, type DayView, type ScenarioView } from './view.js';

const [columnWidth, rowHeight, nodeWidth, nodeHeight] = [150, 52, 118, 34];
/** Longer names are cut. */
const nameLength = 12;
/** How far the hull extends beyond a node. */
const reach = 9;
/** Above this many nodes only the struck and endangered ones and their dependencies are drawn. */
const manyNodes = 40;

interface Place {
  x: number;
  y: number;
}

export function Topology({ day, scenario }: { day: DayView; scenario: ScenarioView | undefined }) {
  const { system } = day;
  if (!system) return <p class="empty">The system has not yet said what it is made of.</p>;
  const active = (scenario?.faults ?? []).filter((f) => f.removedAtMs === undefined);
  const struck = new Set(active.flatMap((f) => f.struck ?? []));
  const hurt = blastRadius(system, [...struck]);
  const all = [...system.services, ...system.dependencies];
  const near = new Set([...hurt, ...system.calls.filter((c) => hurt.has(c.from)).map((c) => c.to)]);
  const shown = all.length <= manyNodes ? all : all.filter((n) => near.has(n)).slice(0, manyNodes);
  const places = placesOf(shown, system.calls);
  const calls = system.calls.filter(({ from, to }) => places.has(from) && places.has(to));
  const words = wordsOf(active, struck, hurt, all.length);
  return (
    <>
      <svg class="topology" viewBox={boxOf([...places.values()])} role="img" aria-label={words}>
        <Hull hurt={hurt} calls={calls} places={places} />
        {calls.map(({ from, to }) => (
          <path key={`${from} ${to}`} class="edge" d={edgePath(places, from, to)} />
        ))}
        {[...places].map(([name, { x, y }]) => (
          <g key={name}>
            <rect
              class={`node ${struck.has(name) ? 'struck' : hurt.has(name) ? 'hurt' : ''}`}
              x={x}
              y={y}
              rx={system.dependencies.includes(name) ? 17 : 6}
              width={nodeWidth}
              height={nodeHeight}
            />
            <text x={x + nodeWidth / 2} y={y + 22} text-anchor="middle">
              {struck.has(name) ? '✱ ' : ''}
              {name.length > nameLength ? `${name.slice(0, nameLength - 1)}…` : name}
              <title>{name}</title>
            </text>
          </g>
        ))}
      </svg>
      <p class="soft">
        {words}
        {shown.length < all.length && `; ${shown.length} of ${all.length} nodes are drawn`}
      </p>
    </>
  );
}

function wordsOf(
  active: ScenarioView['faults'],
  struck: ReadonlySet<string>,
  hurt: ReadonlySet<string>,
  count: number,
): string {
  if (active.length === 0) return `${count} services and dependencies, none struck`;
  const faults = active.map((f) => `${f.kind} on ${f.target}`).join(', ');
  if (struck.size === 0) return `${faults}: the events do not say which service that strikes`;
  const others = [...hurt].filter((name) => !struck.has(name));
  const may =
    others.length === 0 ? 'no other service calls these' : `may be hurt: ${others.join(', ')}`;
  return `${faults}; struck: ${[...struck].join(', ')}; ${may}`;
}

/** One shape around the blast radius and its calls: drawn twice, so that only its rim is visible. */
function Hull({
  hurt,
  calls,
  places,
}: {
  hurt: ReadonlySet<string>;
  calls: readonly { from: string; to: string }[];
  places: ReadonlyMap<string, Place>;
}) {
  const within = calls.filter(({ from, to }) => hurt.has(from) && hurt.has(to));
  const layer = (grown: number) => (
    <>
      {within.map(({ from, to }) => (
        <path
          key={`${from} ${to}`}
          d={edgePath(places, from, to)}
          style={{ strokeWidth: `${16 + 2 * grown}px` }}
        />
      ))}
      {[...places].map(
        ([name, { x, y }]) =>
          hurt.has(name) && (
            <rect
              key={name}
              x={x - reach - grown}
              y={y - reach - grown}
              rx={14 + grown}
              width={nodeWidth + 2 * (reach + grown)}
              height={nodeHeight + 2 * (reach + grown)}
            />
          ),
      )}
    </>
  );
  return (
    <>
      <g class="hull rim">{layer(1.5)}</g>
      <g class="hull">{layer(0)}</g>
    </>
  );
}

function edgePath(places: ReadonlyMap<string, Place>, from: string, to: string): string {
  const [a, b] = [places.get(from), places.get(to)];
  if (!a || !b) return '';
  const [ax, bx] = [a.x + nodeWidth, b.x];
  const [ay, by] = [a.y + nodeHeight / 2, b.y + nodeHeight / 2];
  const bend = Math.max(20, Math.abs(bx - ax) / 2);
  return `M${ax},${ay} C${ax + bend},${ay} ${bx - bend},${by} ${bx},${by}`;
}

function boxOf(places: readonly Place[]): string {
  const margin = reach + 4;
  const width = Math.max(0, ...places.map((p) => p.x)) + nodeWidth + 2 * margin;
  const top = Math.min(0, ...places.map((p) => p.y)) - margin;
  const bottom = Math.max(0, ...places.map((p) => p.y)) + nodeHeight + margin;
  return `${-margin} ${top} ${width} ${bottom - top}`;
}

/**
 * Each node is one column right of its callers, and each column is centred vertically; a cycle of calls stays within
 * the existing columns.
 */
function placesOf(
  names: readonly string[],
  calls: readonly { from: string; to: string }[],
): Map<string, Place> {
  const column = new Map(names.map((name) => [name, 0]));
  for (let i = 0; i < names.length; i++) {
    for (const { from, to } of calls) {
      const wanted = (column.get(from) ?? 0) + 1;
      if (column.has(to) && wanted > (column.get(to) ?? 0) && wanted < names.length) {
        column.set(to, wanted);
      }
    }
  }
  const columns = new Map<number, string[]>();
  for (const name of names) {
    const at = column.get(name) ?? 0;
    columns.set(at, [...(columns.get(at) ?? []), name]);
  }
  const places = new Map<string, Place>();
  for (const [at, own] of columns) {
    own.forEach((name, row) => {
      const y = (row - (own.length - 1) / 2) * rowHeight;
      places.set(name, { x: at * columnWidth, y });
    });
  }
  return places;
}
