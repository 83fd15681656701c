/** Converts the Markdown subset of our pages to HTML; everything that is not markup is escaped, including raw HTML. */
import { escapeHtml } from '../base/drawing/escape.js';
import { withoutUnseen } from '../base/unseen.js';

/** Allows only links to a page or a place in this one; `javascript:` and the like become plain text. */
const safeLink = /^(https?:\/\/|#|\.{0,2}\/|[\w./-]+\.(md|html|json|xml)(#|$))/i;

/** From left to right, so that an escaped backtick begins no code. */
const escapeOrCode = /\\([|*_[\]<>#`\\])|`([^`]+)`/g;
/** Bounded: the time for a text without links grows with its length, and not with the square of it. */
const link = /\[([^[\]]{0,1000})\]\(([^)\s]{1,2000})\)/g;

/** Bold, code and links of one line. */
function inlineHtml(text: string): string {
  const codes: string[] = [];
  const held = text.replaceAll(escapeOrCode, (_, escaped?: string, code = '') => {
    if (escaped !== undefined) return entity(escaped);
    codes.push(`<code>${escapeHtml(code.replaceAll('\\|', '|'))}</code>`);
    return `\uE001${codes.length - 1};`;
  });
  return escapeHtml(held)
    .replaceAll(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
    .replaceAll(link, (whole, label: string, target: string) =>
      safeLink.test(target) ? `<a href="${target}">${label}</a>` : whole,
    )
    .replaceAll(/\uE000(\d+);/g, '&#$1;')
    .replaceAll(/\uE001(\d+);/g, (_, i: string) => codes[Number(i)] ?? '');
}

/** An escaped character of the source, hidden from the markup until the end. */
const entity = (character: string): string => `\uE000${character.charCodeAt(0)};`;

const fence = /^```(\w*)\s*$/;
const heading = /^(#{1,6}) (.*)$/;
const item = /^(\s*)(?:[-*]|\d+\.) (?:\[([ xX])\] )?(.*)$/;

export interface HtmlOptions {
  /** Added to the level of each heading, so that a page can stand inside another. */
  deeper?: number;
}

/** Headings, paragraphs, flat lists, task lists, tables, fenced code, quotes. */
export function markdownToHtml(markdown: string, options: HtmlOptions = {}): string {
  const lines = markdown.replace(/^---\n[^]*?\n---\n/, '').split('\n');
  const out: string[] = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i] as string;
    const opened = fence.exec(line);
    const titled = heading.exec(line);
    if (line.trim() === '') {
      i++;
    } else if (opened) {
      const end = endOfFence(lines, i + 1);
      const language =
        opened[1] === '' ? '' : ` data-language="${escapeHtml(opened[1] as string)}"`;
      const text = escapeHtml(lines.slice(i + 1, end).join('\n'));
      out.push(`<pre${language}><code>${text}</code></pre>`);
      i = end + 1;
    } else if (titled) {
      const level = Math.min(6, (titled[1] as string).length + (options.deeper ?? 0));
      out.push(`<h${level}>${inlineHtml(titled[2] as string)}</h${level}>`);
      i++;
    } else {
      const end = endOfBlock(lines, i);
      out.push(block(lines.slice(i, end)));
      i = end;
    }
  }
  return out.join('\n');
}

function endOfFence(lines: readonly string[], from: number): number {
  let end = from;
  while (end < lines.length && !lines[end]?.startsWith('```')) end++;
  return end;
}

function endOfBlock(lines: readonly string[], from: number): number {
  const ends = (l: string): boolean => l.trim() === '' || fence.test(l) || heading.test(l);
  let end = from + 1;
  while (end < lines.length && !ends(lines[end] as string)) end++;
  return end;
}

function block(lines: readonly string[]): string {
  const first = lines[0] as string;
  if (first.startsWith('|')) return table(lines);
  if (first.startsWith('> ')) {
    return `<blockquote>${inlineHtml(lines.map((l) => l.replace(/^> ?/, '')).join(' '))}</blockquote>`;
  }
  const start = lines.findIndex((l) => item.test(l));
  if (start < 0) return `<p>${inlineHtml(lines.join(' '))}</p>`;
  const lead = start > 0 ? `<p>${inlineHtml(lines.slice(0, start).join(' '))}</p>` : '';
  return lead + list(lines.slice(start));
}

function list(lines: readonly string[]): string {
  const items: { text: string; box: string | undefined }[] = [];
  for (const line of lines) {
    const found = item.exec(line);
    const last = items.at(-1);
    if (found) items.push({ text: found[3] as string, box: found[2] });
    else if (last) last.text += ` ${line.trim()}`;
  }
  const tag = /^\s*\d+\./.test(lines[0] as string) ? 'ol' : 'ul';
  const rows = items.map(({ text, box }) =>
    box === undefined
      ? `<li>${inlineHtml(text)}</li>`
      : `<li class="task">${box === ' ' ? '☐' : '☑'} ${inlineHtml(text)}</li>`,
  );
  return `<${tag}>${rows.join('')}</${tag}>`;
}

/** Cells of a row; `\|` is a bar within a cell. */
const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((c) => c.trim());

function table(lines: readonly string[]): string {
  const [head = '', rule = '', ...rest] = lines;
  const right = cellsOf(rule).map((c) => c.endsWith(':'));
  const row = (line: string, tag: string): string =>
    `<tr>${cellsOf(line)
      .map((c, i) => `<${tag}${right[i] ? ' class="number"' : ''}>${inlineHtml(c)}</${tag}>`)
      .join('')}</tr>`;
  return (
    `<div class="scroll" tabindex="0"><table><thead>${row(head, 'th')}</thead>` +
    `<tbody>${rest.map((l) => row(l, 'td')).join('')}</tbody></table></div>`
  );
}

/** External text for prose or a table cell: on one line, and without any markup. */
export function markdownText(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_[\]<>#|]/g, (c) => `\\${c}`);
}

/** External text between backticks. */
export const markdownCode = (text: string): string =>
  oneLine(text).replaceAll('`', "'").replaceAll('|', '\\|');

/** Control characters are none of a reader's business. */
const oneLine = (text: string): string =>
  withoutUnseen(text)
    .replaceAll(/[\t\n\r\u2028\u2029\uE000\uE001]+/g, ' ')
    .trim();

/** Links between pages, each to where `target` says that the page stands; where it is nowhere, its name remains. */
export const linkedPages = (
  markdown: string,
  target: (page: string) => string | undefined,
): string =>
  markdown.replaceAll(/\[([^\]\n]*)\]\(([\w-]+)\.md\)/g, (_, text: string, page: string) => {
    const to = target(page);
    return to === undefined ? text : `[${text}](${to})`;
  });
