/** HTML by tagged templates: whatever is put between is escaped, unless it is HTML already. */
import { escapeHtml } from '../markdown.js';

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
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((all, s, i) => all + textOf(parts[i - 1]) + s));
}

/** A coordinate with one decimal, without a trailing `.0`; what is no number becomes 0. */
export const px = (value: number): string =>
  Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
