/** The page as one document with its style, its script and its first state, so that one answer draws it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { asset, program } from '../base/paths.js';
import { lineColours, lineStyle } from '../base/drawing/lines.js';

export interface PageDocument {
  /** A content security policy that allows this style and this script only. */
  policy: string;
  /** The document with the page's first state, any JSON value. */
  with(first: unknown): string;
}

/** JSON whose texts cannot turn the direction of the words after them. */
export const shownJson = (value: unknown): string => readable(JSON.stringify(value));

/** Controls of direction that outlast their own text become a visible mark. */
export const readable = (text: string): string =>
  text.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Read once, at the start, so that a build in between does not mix two pages. */
export function readPage(): PageDocument {
  const { light, dark } = lineColours;
  const colours = `:root{${light}}@media(prefers-color-scheme:dark){:root{${dark}}}`;
  const style = colours + lineStyle + readFileSync(asset('console/page/page.css'), 'utf8');
  const script = readFileSync(program('console/page/main'), 'utf8');
  const [before = '', after = ''] = readFileSync(asset('console/page/index.html'), 'utf8')
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script type="module">${script}</script>`)
    .split('<!-- first -->');
  return {
    policy:
      `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; connect-src 'self'; ` +
      "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    // A data block: it is never run, and no text in it can end it.
    with: (first) => {
      const json = shownJson(first).replaceAll('<', '\\u003c');
      return `${before}<script type="application/json" id="first">${json}</script>${after}`;
    },
  };
}
