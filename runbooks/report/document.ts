/** Renders one Markdown page as an HTML file that opens offline, in the report's own style. */
import { markdownToHtml } from '../markdown.js';
import { Html, markup } from '../../base/drawing/html.js';
import { style } from './style.js';

export function markdownPage(title: string, markdown: string): string {
  const body = markup`<main><section class="card document">${new Html(markdownToHtml(markdown))}</section></main>`;
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<title>${markup`${title}`.text}</title><style>${style}</style></head><body>${body.text}</body></html>\n`
  );
}
