/** The time axis that all parts of a figure share. */

export interface Frame {
  startMs: number;
  endMs: number;
  /** In the figure's units, like the left and right margins. */
  width: number;
  left: number;
  right: number;
}

/** The x position of a moment, clamped to the frame. */
export const xOf = (frame: Frame, timeMs: number): number => {
  const share = (timeMs - frame.startMs) / Math.max(1, frame.endMs - frame.startMs);
  return frame.left + Math.max(0, Math.min(1, share)) * (frame.width - frame.left - frame.right);
};

/** The x position of the axis's end. */
export const endOf = ({ width, right }: Frame): number => width - right;

export const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
