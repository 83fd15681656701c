/**
 * HTML by tagged templates: whatever is put between is escaped, unless it is HTML already. The tag is not called
 * `html`, since formatters would then move the white space within, which a reader sees.
 */
import { escapeHtml } from './escape.js';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | false | undefined | readonly Part[];

function textOf(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return (part as readonly Part[]).map(textOf).join('');
  return part === undefined || part === false ? '' : escapeHtml(String(part));
}

/** Also for attributes: quotes are escaped. Numbers of coordinates are the caller's to round. */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map(unwrapped).reduce((all, s, i) => all + textOf(parts[i - 1]) + s));
}

/** Templates are wrapped for whoever edits them: a line's end is nothing beside a tag or a part, a space elsewhere. */
const unwrapped = (text: string): string =>
  text
    .replaceAll(/^\n\s*|\n\s*$/g, '')
    .replaceAll(/>\n\s*/g, '>')
    .replaceAll(/\n\s*</g, '<')
    .replaceAll(/\n\s*/g, ' ');

/** A coordinate with one decimal, without a trailing `.0`; what is no number becomes 0. */
export const px = (value: number): string =>
  Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
