/** `firedrill runbook serve`: serves the pages of runbook_urls on this machine: the user's own pages, then ours. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { messageOf, notListening } from '../../base/errors.js';
import { markdownToHtml } from '../markdown.js';
import { readPages } from '../pages.js';
import { pageDocument, siteFiles } from '../publish.js';
import { Html, markup } from '../../base/drawing/html.js';
import type { OwnRunbook } from './pages.js';
import { ownRunbooks } from './pages.js';

const headers = {
  'content-type': 'text/html; charset=utf-8',
  // Pages may contain any author's Markdown: nothing in them is executed or fetched.
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** Resolves to the server and its port; the files are read anew for each request. */
export async function serveRunbooks(
  paths: readonly string[],
  at: { host: string; port: number },
): Promise<{ server: Server; port: number }> {
  const ours = siteFiles(readPages());
  if (paths.length > 0) ownRunbooks(paths);
  const server = createServer((request, response) => {
    const { method = '', url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') return response.writeHead(405).end();
    let page: string | undefined;
    try {
      page = answerOf(url, paths, ours);
    } catch (error) {
      // Pages may be moved, or be mistaken, while they are served.
      const plain = { ...headers, 'content-type': 'text/plain; charset=utf-8' };
      return response.writeHead(500, plain).end(`${messageOf(error)}\n`);
    }
    if (page === undefined) {
      const none = markup`<h1>No such page</h1><p><a href="/">All runbooks</a></p>`.text;
      return response.writeHead(404, headers).end(pageDocument('No such page', none));
    }
    return response.writeHead(200, headers).end(method === 'HEAD' ? undefined : page);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(notListening(at.host, at.port, error)),
    );
    server.listen(at.port, at.host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Only uses the last part of the path: `/runbooks/NAME`, `/NAME.md`, `/NAME/`. */
function answerOf(
  url: string,
  paths: readonly string[],
  ours: ReadonlyMap<string, string>,
): string | undefined {
  const own = paths.length > 0 ? ownRunbooks(paths) : [];
  const name = nameIn(url);
  if (name === undefined) return undefined;
  if (name === '') return own.length === 0 ? ours.get('index.html') : indexOf(own);
  const page = own.find((p) => p.name === name);
  if (page) {
    const back = markup`<p><a href="/">All runbooks</a></p>`.text;
    return pageDocument(page.title, back + markdownToHtml(page.text));
  }
  return ours.get(`${name}/index.html`);
}

function nameIn(url: string): string | undefined {
  try {
    const path = decodeURIComponent(url.replace(/[?#].*$/, ''));
    return (path.replace(/\/+$/, '').split('/').pop() ?? '').replace(/\.(md|html)$/i, '');
  } catch {
    return undefined;
  }
}

function indexOf(own: readonly OwnRunbook[]): string {
  const row = (name: string, title: string): Html =>
    markup`<tr><td><a href="/${name}/">${name}</a></td><td>${title}</td></tr>`;
  const table = (rows: Html[]): Html =>
    markup`<div class="scroll"><table><tbody>${rows}</tbody></table></div>`;
  const mine = table(own.map((p) => row(p.name, p.title)));
  const rest = table([...readPages().values()].map((p) => row(p.name, p.title)));
  const body = markup`<h1>Runbooks</h1><h2>Yours</h2>${mine}<h2>Firedrill's</h2>${rest}`;
  return pageDocument('Runbooks', body.text);
}
