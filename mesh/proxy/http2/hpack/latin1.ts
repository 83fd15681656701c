/** Two methods that every Buffer of Node has and its types leave out: one octet, one character. */
declare global {
  interface Buffer {
    latin1Slice(start: number, end: number): string;
    latin1Write(text: string, offset: number, length: number): number;
  }
}
export {};
