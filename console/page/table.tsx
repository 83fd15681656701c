/** A table of any length: of a long one only the rows in sight are drawn. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface Column<T> {
  title: string;
  cell: (row: T) => ComponentChildren;
  number?: true;
  /** A share of the width, beside the others' shares. */
  share?: number;
}

interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** Said where there is no row. */
  empty: string;
  /** Text by which rows are searched; absent: no search field. */
  textOf?: (row: T) => string;
}

const rowHeight = 34;
/** Longer ones scroll in a window of this height. */
const windowHeight = 560;
const beyond = 6;

export function Table<T>({ label, columns, rows, keyOf, empty, textOf }: TableProps<T>) {
  const [wanted, setWanted] = useState('');
  const words = wanted.toLowerCase();
  const shown =
    textOf && words !== '' ? rows.filter((r) => textOf(r).toLowerCase().includes(words)) : rows;
  const grid = columns.map((c) => `minmax(0, ${c.share ?? 1}fr)`).join(' ');
  return (
    <div class="table-frame" role="group" aria-label={`${label}, frame`} tabIndex={0}>
      {textOf && rows.length > 10 && (
        <input
          type="search"
          aria-label={`search in ${label}`}
          placeholder={`search ${rows.length.toLocaleString('en')} rows`}
          value={wanted}
          onInput={(e) => setWanted(e.currentTarget.value)}
        />
      )}
      {shown.length === 0 ? (
        <p class="empty">{rows.length === 0 ? empty : 'No row has these words.'}</p>
      ) : (
        <div class="table" role="table" aria-label={label} aria-rowcount={shown.length + 1}>
          <div role="rowgroup">
            <div class="row head" role="row" style={{ gridTemplateColumns: grid }}>
              {columns.map((c) => (
                <span role="columnheader" class={c.number ? 'number' : ''} key={c.title}>
                  {c.title}
                </span>
              ))}
            </div>
          </div>
          <Rows {...{ label, columns, shown, keyOf, grid }} />
        </div>
      )}
    </div>
  );
}

interface RowsProps<T> {
  label: string;
  columns: readonly Column<T>[];
  shown: readonly T[];
  keyOf: (row: T) => string;
  grid: string;
}

function Rows<T>({ label, columns, shown, keyOf, grid }: RowsProps<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const full = shown.length * rowHeight;
  const height = Math.min(full, windowHeight);
  useEffect(() => {
    if (frame.current && frame.current.scrollTop !== top) setTop(frame.current.scrollTop);
  }, [shown.length]);
  const first = Math.max(0, Math.floor(top / rowHeight) - beyond);
  const last = Math.min(shown.length, Math.ceil((top + height) / rowHeight) + beyond);
  return (
    <div
      role="rowgroup"
      class="rows"
      ref={frame}
      style={{ height: `${height}px` }}
      {...(full > windowHeight && { tabIndex: 0, 'aria-label': `${label}, scrolls` })}
      onScroll={(e) => setTop(e.currentTarget.scrollTop)}
    >
      <div role="presentation" style={{ height: `${full}px`, position: 'relative' }}>
        {shown.slice(first, last).map((row, i) => (
          <div
            class="row"
            role="row"
            aria-rowindex={first + i + 2}
            key={keyOf(row)}
            style={{
              gridTemplateColumns: grid,
              transform: `translateY(${(first + i) * rowHeight}px)`,
            }}
          >
            {columns.map((c) => (
              <span role="cell" class={c.number ? 'number' : ''} key={c.title}>
                {c.cell(row)}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}
