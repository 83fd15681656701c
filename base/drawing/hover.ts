/** The script by which a pointer reads figures, and the policy that allows a page to run only that script. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { program } from '../paths.js';
import { endOf, type Frame } from './frame.js';

/** Built by esbuild; without the build, figures have no script. */
const script = (): string => {
  const file = program('base/drawing/page/hover');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
};

export interface Hover {
  /** Goes into the page's head, because it applies from there on, also in a page opened as a file. */
  policy: string;
  /** Goes to the end of the body. */
  script: string;
}

/** The script and the policy for a page without external resources. */
export function hover(): Hover {
  const text = script();
  const hash = createHash('sha256').update(text).digest('base64');
  const policy =
    `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-${hash}'; ` +
    `base-uri 'none'; form-action 'none'`;
  return { policy, script: `<script>${text}</script>` };
}

/** Attributes of a figure for the script: the axis, its span, and the moment that counts as zero. */
export const frameData = (frame: Frame, zeroMs?: number): string =>
  [frame.left, endOf(frame), frame.startMs, frame.endMs, zeroMs]
    .filter((n) => n !== undefined)
    .map(Math.round)
    .join(' ');
