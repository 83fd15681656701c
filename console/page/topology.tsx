/** Who calls whom, what is struck, and how far it may hurt. Callers stand left of what they call. */
import { blastRadius, type DayView, type ScenarioView, struckBy } from './view.js';

const [columnWidth, rowHeight, nodeWidth, nodeHeight] = [150, 56, 122, 34];

export function Topology({ day, scenario }: { day: DayView; scenario: ScenarioView | undefined }) {
  const { system } = day;
  if (!system) return <p>The system has not said what it is made of.</p>;
  const active = (scenario?.faults ?? []).filter((f) => f.removedAtMs === undefined);
  const targets = active.map((f) => f.target);
  const struck = new Set(targets.flatMap((target) => struckBy(system, target)));
  const hurt = blastRadius(system, targets);
  const places = placesOf([...system.services, ...system.dependencies], system.calls);
  const width = Math.max(...[...places.values()].map((p) => p.x)) + nodeWidth + 8;
  const height = Math.max(...[...places.values()].map((p) => p.y)) + nodeHeight + 8;
  const words =
    targets.length === 0
      ? `${system.services.length} services, none struck`
      : hurt.size === 0
        ? `struck: ${targets.join(', ')}, which is not in this picture`
        : `struck: ${targets.join(', ')}; may be hurt: ${[...hurt].join(', ')}`;
  return (
    <>
      <svg viewBox={`-4 -4 ${width} ${height}`} role="img" aria-label={words}>
        {system.calls.map(({ from, to }) => {
          const [a, b] = [places.get(from), places.get(to)];
          if (!a || !b) return null;
          const [ax, bx] = [a.x + nodeWidth, b.x];
          const [ay, by] = [a.y + nodeHeight / 2, b.y + nodeHeight / 2];
          const middle = (ax + bx) / 2;
          return (
            <path class="edge" d={`M${ax},${ay} C${middle},${ay} ${middle},${by} ${bx},${by}`} />
          );
        })}
        {[...places].map(([name, { x, y }]) => (
          <g>
            <rect
              class={`node ${struck.has(name) ? 'struck' : hurt.has(name) ? 'hurt' : ''}`}
              x={x}
              y={y}
              rx={6}
              width={nodeWidth}
              height={nodeHeight}
            />
            <text x={x + nodeWidth / 2} y={y + 21} text-anchor="middle">
              {struck.has(name) ? '✱ ' : ''}
              {name.length > 16 ? `${name.slice(0, 15)}…` : name}
              <title>{name}</title>
            </text>
          </g>
        ))}
      </svg>
      <p>{words}</p>
    </>
  );
}

/** A column further right than each of its callers; a circle of calls stays within the columns that there are. */
function placesOf(
  names: readonly string[],
  calls: readonly { from: string; to: string }[],
): Map<string, { x: number; y: number }> {
  const column = new Map(names.map((name) => [name, 0]));
  for (let i = 0; i < names.length; i++) {
    for (const { from, to } of calls) {
      const wanted = (column.get(from) ?? 0) + 1;
      if (column.has(to) && wanted > (column.get(to) ?? 0) && wanted < names.length) {
        column.set(to, wanted);
      }
    }
  }
  const used = new Map<number, number>();
  return new Map(
    names.map((name) => {
      const at = column.get(name) ?? 0;
      const row = used.get(at) ?? 0;
      used.set(at, row + 1);
      return [name, { x: at * columnWidth, y: row * rowHeight }];
    }),
  );
}
