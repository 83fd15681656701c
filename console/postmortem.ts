/** The postmortem of a report: shown with its open points in the margin, and edited if that is allowed. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import { writeFileWhole } from '../base/write-file.js';
import { markdownToHtml } from '../runbooks/markdown.js';
import { lintPostmortem } from '../runbooks/postmortem/lint.js';
import { readOwn } from './report-file.js';

export interface LeftToDo {
  line: number;
  text: string;
}

export interface PostmortemView {
  file: string;
  text: string;
  /** The hash of the text: an edit names the text that it replaces. */
  hash: string;
  /** The page in blocks, each with its first line. */
  blocks: { line: number; html: string }[];
  problems: LeftToDo[];
}

const fileName = 'postmortem.md';
/** In UTF-8; a long postmortem has some ten thousand bytes. */
export const maxPostmortemBytes = 1024 * 1024;

/** Throws a UserError when there is no postmortem. */
export function readPostmortem(folder: string): PostmortemView {
  const file = join(folder, fileName);
  const bytes = readOwn(folder, fileName);
  if (!bytes) throw new UserError(`${file} is not there: a drill drafts it at its end`);
  if (bytes.length > maxPostmortemBytes) throw new UserError(`${file} has more than a megabyte`);
  const text = bytes.toString('utf8');
  return { file, text, hash: hashOf(text), blocks: blocksOf(text), problems: leftIn(folder, text) };
}

export const leftIn = (folder: string, text: string): LeftToDo[] =>
  lintPostmortem(join(folder, fileName), text).map(({ place, message, expected }) => ({
    line: place?.line ?? 1,
    text: expected === undefined ? message : `${message}; expected ${expected}`,
  }));

/** False when the file has changed since the text with this hash was read: no edit overwrites another. */
export function savePostmortem(folder: string, text: string, was: string): boolean {
  if (readPostmortem(folder).hash !== was) return false;
  writeFileWhole(join(folder, fileName), text);
  return true;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** One block for each section, so that its problems are shown beside it. */
function blocksOf(text: string): PostmortemView['blocks'] {
  const lines = text.split('\n');
  const starts = lines.flatMap((line, i) => (i === 0 || /^##? /.test(line) ? [i] : []));
  return starts.map((from, i) => {
    const own = lines.slice(from, starts[i + 1] ?? lines.length).join('\n');
    return { line: from + 1, html: markdownToHtml(own) };
  });
}
