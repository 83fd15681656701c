/** A hint that the team under drill was given. */
export interface HintRecord {
  atMs: number;
  /** Real milliseconds after the injection. */
  afterMs: number;
  text: string;
  /** The role that asked; absent: its time had come. */
  by?: string;
}
