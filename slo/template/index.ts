/** The templates of alerts' labels and annotations: parsed once, expanded for each alert. */
import { functionNames, type Surroundings } from './functions.js';
import { TemplateError } from './lex.js';
import { parseTemplate, type Template } from './parse.js';
import { runTemplate } from './run.js';
import { AlertData, StringMap } from './values.js';

export { TemplateError } from './lex.js';
export { formatFloat } from './format.js';
export { functionNames, type Surroundings } from './functions.js';
export { type Node, type Operand, parseTemplate, type Pipeline, type Template } from './parse.js';
export { TemplateSample } from './values.js';

export const alertVariables = ['$labels', '$externalLabels', '$externalURL', '$value'];

/** Parses the template of a label or annotation; throws a TemplateError with its offset. */
export const parseAlertTemplate = (text: string): Template =>
  parseTemplate(text, functionNames, alertVariables);

export interface AlertContext {
  labels: Readonly<Record<string, string>>;
  /** A histogram is its text. */
  value: number | string;
  externalLabels: Readonly<Record<string, string>>;
  around: Surroundings;
}

/** The text of one label or annotation; like Prometheus, it shows an error in place of the text. */
export class AlertText {
  readonly #text: string;
  readonly #template: Template | TemplateError | undefined;

  constructor(text: string) {
    this.#text = text;
    if (!text.includes('{{')) return;
    try {
      this.#template = parseAlertTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.#template = error;
    }
  }

  expand(context: AlertContext): string {
    if (this.#template === undefined) return this.#text;
    try {
      if (this.#template instanceof TemplateError) throw this.#template;
      const labels = new StringMap(context.labels);
      const externalLabels = new StringMap(context.externalLabels);
      const { externalUrl } = context.around;
      const data = new AlertData(
        new Map<string, StringMap | string | number>([
          ['Labels', labels],
          ['ExternalLabels', externalLabels],
          ['ExternalURL', externalUrl],
          ['Value', context.value],
        ]),
      );
      const variables = {
        $labels: labels,
        $externalLabels: externalLabels,
        $externalURL: externalUrl,
        $value: context.value,
      };
      return runTemplate(this.#template, data, variables, context.around);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return `<error expanding template: ${message}>`;
    }
  }
}
