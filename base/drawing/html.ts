/**
 * HTML by tagged templates, which escape every inserted value unless it is HTML already. The tag is not called `html`,
 * because formatters would then change white space that readers see.
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

/** Escapes for attributes, too, by escaping quotes. Callers round the numbers of coordinates. */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map(unwrapped).reduce((all, s, i) => all + textOf(parts[i - 1]) + s));
}

/** Line breaks in templates are for their editors: they vanish beside a tag or a value, and are a space elsewhere. */
const unwrapped = (text: string): string =>
  text
    .replaceAll(/^\n\s*|\n\s*$/g, '')
    .replaceAll(/>\n\s*/g, '>')
    .replaceAll(/\n\s*</g, '<')
    .replaceAll(/\n\s*/g, ' ');

/** A coordinate with at most one decimal; a value that is not a finite number becomes 0. */
export const px = (value: number): string =>
  Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
