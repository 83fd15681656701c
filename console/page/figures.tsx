/** A row of figures with their names; `mark` is the class of a value that stands out. */
export function Figures({ rows }: { rows: readonly (readonly [string, string, string?])[] }) {
  return (
    <dl class="figures">
      {rows.map(([name, value, mark]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={mark}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
