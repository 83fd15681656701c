/** What lets a pointer read a figure: its script, and the policy that lets a page run that script and no other. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { program } from '../paths.js';
import { endOf, type Frame } from './frame.js';

/** Built by esbuild; where it was not built, figures stand without it. */
const script = (): string => {
  const file = program('base/drawing/page/hover');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
};

export interface Hover {
  /** For the head: it holds from there on, also where the page is opened as a file. */
  policy: string;
  /** For the end of the body. */
  script: string;
}

/** For a page that needs nothing from elsewhere. */
export function hover(): Hover {
  const text = script();
  const hash = createHash('sha256').update(text).digest('base64');
  const policy =
    `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-${hash}'; ` +
    `base-uri 'none'; form-action 'none'`;
  return { policy, script: `<script>${text}</script>` };
}

/** For a figure that it reads: where its axis is, which time it spans, and which moment counts as zero. */
export const frameData = (frame: Frame, zeroMs?: number): string =>
  [frame.left, endOf(frame), frame.startMs, frame.endMs, zeroMs]
    .filter((n) => n !== undefined)
    .map(Math.round)
    .join(' ');
