/**
 * Renders all pages as a folder of HTML that any web server can serve, so that the `runbook_url` of an alert leads to
 * its page.
 */
import { markdownToHtml } from './markdown.js';
import type { RunbookFacts } from './facts.js';
import type { Page, PageKind } from './pages.js';
import { renderPage } from './render.js';
import { Html, markup } from '../base/drawing/html.js';
import { style } from './report/style.js';

const kinds: readonly (readonly [PageKind, string])[] = [
  ['playbook', 'Major incidents'],
  ['slo', 'Alerts of SLOs'],
  ['alert', 'Alerts of the mesh'],
  ['failure', 'Failure modes'],
];

/** A page of one alert, made from a shared page. */
export interface OwnPage {
  /** The alert's name. */
  name: string;
  of: Page;
  facts: RunbookFacts;
}

/** `NAME/index.html` answers both `.../NAME` and `.../NAME/`; links between pages are relative. */
export function siteFiles(
  pages: ReadonlyMap<string, Page>,
  own: readonly OwnPage[] = [],
): Map<string, string> {
  const files = new Map<string, string>();
  const add = (name: string, title: string, markdown: string): void => {
    const body = linked(markdownToHtml(markdown), pages, '../');
    const back = markup`<p><a href="../">All runbooks</a></p>`;
    files.set(`${name}/index.html`, pageDocument(title, `${back.text}${body}`));
  };
  for (const page of pages.values()) add(page.name, page.title, renderPage(page));
  for (const { name, of, facts } of own) add(name, `${name}: ${of.title}`, renderPage(of, facts));
  const listed = own.map(({ name, of }): Page => ({ ...of, name }));
  files.set('index.html', pageDocument('Runbooks', indexHtml([...pages.values(), ...listed])));
  return files;
}

/** Turns links to `name.md`, and alerts named in a text, into links to their pages. */
function linked(html: string, pages: ReadonlyMap<string, Page>, base: string): string {
  return html
    .replaceAll(/href="([\w-]+)\.md"/g, (_, name: string) => `href="${base}${name}/"`)
    .replaceAll(
      /(<p>|<li>|[ (,])(Mesh[A-Z]\w+)(?![^<]*<\/(?:a|code|h1)>)/g,
      (whole, before, name) =>
        pages.has(name as string)
          ? `${before as string}<a href="${base}${name as string}/">${name as string}</a>`
          : whole,
    );
}

function indexHtml(pages: readonly Page[]): string {
  const parts = kinds.map(([kind, title]) => {
    const rows = pages
      .filter((p) => p.kind === kind)
      .map(
        (p) => markup`<tr><td><a href="${p.name}/">${p.name}</a></td><td>${p.title}</td>
<td class="quiet">${p.covers.join(' ')}</td></tr>`,
      );
    return markup`<h2>${title}</h2><div class="scroll"><table><tbody>${rows}</tbody></table></div>`;
  });
  return markup`<h1>Runbooks</h1>${parts}`.text;
}

/** A whole page around HTML that is escaped already. */
export const pageDocument = (title: string, body: string): string =>
  `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
  `<meta name="viewport" content="width=device-width,initial-scale=1">` +
  `<title>${markup`${title}`.text}</title><style>${style}</style></head><body>` +
  `${markup`<main><section class="card document">${new Html(body)}</section></main>`.text}</body></html>\n`;
