/** The time axis that all parts of a figure share. */

export interface Frame {
  startMs: number;
  endMs: number;
  /** In the figure's own units, as left and right margins are. */
  width: number;
  left: number;
  right: number;
}

/** Where a moment stands, kept within the frame. */
export const xOf = (frame: Frame, timeMs: number): number => {
  const share = (timeMs - frame.startMs) / Math.max(1, frame.endMs - frame.startMs);
  return frame.left + Math.max(0, Math.min(1, share)) * (frame.width - frame.left - frame.right);
};

/** Where the axis ends. */
export const endOf = ({ width, right }: Frame): number => width - right;

export const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
