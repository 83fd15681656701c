/** The frame of every picture: its own width in pixels, so that no text is scaled, and one pointer shared by all. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { linearScale, type Scale, tickTime, timeTicks } from '../../base/axis.js';

/** The space between a picture's left edge and its axis, for the names of values. */
export const gutter = 62;
const rightMargin = 14;

/** The moment under the pointer, in every picture that shares the axis. */
export const pointerMs = signal<number | undefined>(undefined);

export interface TimeFrame {
  fromMs: number;
  toMs: number;
  width: number;
  x: Scale;
}

export function timeFrame(fromMs: number, toMs: number, width: number): TimeFrame {
  const x = linearScale([fromMs, toMs], [gutter, Math.max(gutter + 1, width - rightMargin)]);
  return { fromMs, toMs, width, x };
}

/** A screen that shows a whole drill: page.css divides its height among the parts. */
const whole = matchMedia('(min-width: 1100px) and (min-height: 640px)');

interface SizedProps {
  /** `height` is that of the surrounding part; undefined when the page scrolls. */
  children: (width: number, height: number | undefined) => ComponentChildren;
}

/** Draws in the available space, and again whenever that changes. */
export function Sized({ children }: SizedProps) {
  const element = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const own = element.current as HTMLDivElement;
    const around = own.parentElement as HTMLElement;
    const measure = (): void =>
      setSize({ width: Math.floor(own.clientWidth), height: around.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(own);
    observer.observe(around);
    measure();
    return () => observer.disconnect();
  }, []);
  const { width, height } = size;
  return (
    <div ref={element}>{width > 0 && children(width, whole.matches ? height : undefined)}</div>
  );
}

/** Follows the pointer over the time axis. */
export function Pointed({ frame, children }: { frame: TimeFrame; children: ComponentChildren }) {
  const move = (event: PointerEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const [start, end] = [frame.x(frame.fromMs), frame.x(frame.toMs)];
    const share = (event.clientX - box.left - start) / (end - start);
    pointerMs.value =
      share < 0 || share > 1 ? undefined : frame.fromMs + share * (frame.toMs - frame.fromMs);
  };
  return (
    <div onPointerMove={move} onPointerLeave={() => (pointerMs.value = undefined)}>
      {children}
    </div>
  );
}

export function Cursor({ frame, height }: { frame: TimeFrame; height: number }) {
  const at = pointerMs.value;
  if (at === undefined || at < frame.fromMs || at > frame.toMs) return null;
  const x = frame.x(at);
  return <line class="cursor" x1={x} x2={x} y1={0} y2={height} />;
}

/** Round moments under a picture. */
export function TimeAxis({ frame, y }: { frame: TimeFrame; y: number }) {
  const count = Math.max(2, Math.floor((frame.width - gutter) / 95));
  const ticks = timeTicks(frame.fromMs, frame.toMs, count);
  const step = (ticks[1] ?? frame.toMs) - (ticks[0] ?? frame.fromMs);
  return (
    <g>
      <line class="axis" x1={gutter} x2={frame.x(frame.toMs)} y1={y} y2={y} />
      {ticks.map((tick) => (
        <g key={tick}>
          <line class="axis" x1={frame.x(tick)} x2={frame.x(tick)} y1={y} y2={y + 4} />
          <text class="soft" x={frame.x(tick)} y={y + 17} text-anchor="middle">
            {tickTime(tick, step)}
          </text>
        </g>
      ))}
      <text class="soft" x={0} y={y + 17}>
        UTC
      </text>
    </g>
  );
}

/** A value's line across, with its name in the gutter. */
export function ValueTick({ frame, y, text }: { frame: TimeFrame; y: number; text: string }) {
  return (
    <g>
      <line class="grid" x1={gutter} x2={frame.x(frame.toMs)} y1={y} y2={y} />
      <text class="soft" x={gutter - 8} y={y + 4} text-anchor="end">
        {text}
      </text>
    </g>
  );
}
