/** Warnings and infos of a query; each message is collected once, with its place in the text. */
import type { Span } from '../syntax/ast.js';
import { lineColumn } from '../syntax/error.js';

export type Severity = 'warning' | 'info';

export interface Annotation {
  readonly severity: Severity;
  readonly message: string;
  readonly from: number;
  readonly to: number;
}

/** The end of an annotation's message, which sums up several occurrences. */
export interface Tally {
  /** Text appended to the message. */
  text(): string;
  merge(other: Tally): void;
}

interface Entry {
  severity: Severity;
  message: string;
  span: Span;
  tally: Tally | undefined;
}

export class Annotations {
  readonly #entries = new Map<string, Entry>();

  warn(message: string, span: Span, tally?: Tally): void {
    this.#add('warning', message, span, tally);
  }

  info(message: string, span: Span, tally?: Tally): void {
    this.#add('info', message, span, tally);
  }

  get size(): number {
    return this.#entries.size;
  }

  list(): Annotation[] {
    return [...this.#entries.values()].map(({ severity, message, span, tally }) => ({
      severity,
      message: `${message}${tally?.text() ?? ''}`,
      from: span.from,
      to: span.to,
    }));
  }

  #add(severity: Severity, message: string, span: Span, tally: Tally | undefined): void {
    const known = this.#entries.get(message);
    if (known?.tally && tally) known.tally.merge(tally);
    this.#entries.set(message, { severity, message, span, tally: known?.tally ?? tally });
  }
}

/** The wording of Prometheus's API: `PromQL warning: ... (1:5)`. */
export function annotationText(annotation: Annotation, query: string): string {
  const { line, column } = lineColumn(query, annotation.from);
  return `PromQL ${annotation.severity}: ${annotation.message} (${line}:${column})`;
}
