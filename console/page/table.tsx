/** A table of any length: only the visible rows of a long table are drawn. */
import type { ComponentChildren } from 'preact';
import { Component } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface Column<T> {
  title: string;
  cell: (row: T) => ComponentChildren;
  number?: true;
  /** A share of the width, relative to the others' shares. */
  share?: number;
}

interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** Shown when there is no row. */
  empty: string;
  /** Text by which rows are searched; absent: no search field. */
  textOf?: (row: T) => string;
}

const rowHeight = 34;
/** Least width of a column of share 1, in pixels. */
const shareWidth = 84;
/** Longer tables scroll in a window of this height. */
const windowHeight = 560;
/** Rows are drawn in blocks of this many, so that most frames of a scroll draw no new row. */
const block = 8;

export function Table<T>({ label, columns, rows, keyOf, empty, textOf }: TableProps<T>) {
  const [wanted, setWanted] = useState('');
  const words = wanted.toLowerCase();
  const shown =
    textOf && words !== '' ? rows.filter((r) => textOf(r).toLowerCase().includes(words)) : rows;
  const grid = columns.map((c) => `minmax(0, ${c.share ?? 1}fr)`).join(' ');
  // A narrower screen scrolls the table sideways instead of cutting its words.
  const minWidth = `${shareWidth * columns.reduce((sum, c) => sum + (c.share ?? 1), 0)}px`;
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
        <div
          class="table"
          role="table"
          aria-label={label}
          aria-rowcount={shown.length + 1}
          style={{ minWidth }}
        >
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
  const [at, setAt] = useState(0);
  const full = shown.length * rowHeight;
  const height = Math.min(full, windowHeight);
  const follow = (): void => setAt(Math.floor((frame.current?.scrollTop ?? 0) / rowHeight / block));
  useEffect(follow, [shown.length]);
  const first = Math.max(0, (at - 1) * block);
  const last = Math.min(shown.length, (at + 2) * block + Math.ceil(height / rowHeight));
  return (
    <div
      role="rowgroup"
      class="rows"
      ref={frame}
      style={{ height: `${height}px` }}
      {...(full > windowHeight && { tabIndex: 0, 'aria-label': `${label}, scrolls` })}
      onScroll={follow}
    >
      <div role="presentation" style={{ height: `${full}px`, position: 'relative' }}>
        {shown.slice(first, last).map((row, i) => (
          <Row key={keyOf(row)} {...{ row, columns: columns as never, grid }} at={first + i} />
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  row: unknown;
  columns: readonly Column<unknown>[];
  grid: string;
  at: number;
}

/** Drawn again only if its content or its place changed. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate({ row, columns, grid, at }: RowProps): boolean {
    const { props } = this;
    return row !== props.row || columns !== props.columns || at !== props.at || grid !== props.grid;
  }

  render({ row, columns, grid, at }: RowProps) {
    return (
      <div
        class="row"
        role="row"
        aria-rowindex={at + 2}
        style={{ gridTemplateColumns: grid, top: `${at * rowHeight}px` }}
      >
        {columns.map((c) => (
          <span role="cell" class={c.number ? 'number' : ''} key={c.title}>
            {c.cell(row)}
          </span>
        ))}
      </div>
    );
  }
}
