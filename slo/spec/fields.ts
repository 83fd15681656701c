/** The fields that all formats share, checked alike. */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { reservedLabels, severityLabel } from '../rules/names.js';
import { withoutComments } from './query.js';
import { parseAlertTemplate, TemplateError } from '../template/index.js';

export const nameSchema = z
  .string({ error: 'expected a name' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, {
    error:
      'expected letters, digits, dots, dashes and underscores, beginning with a letter or digit',
  })
  .max(120, { error: 'expected at most 120 characters' });

export const objectiveSchema = z
  .number({ error: 'expected a number of per cent without a sign, such as 99.9' })
  .gt(0, { error: 'expected more than 0 per cent' })
  .refine((n) => n > 1 || n <= 0, {
    error: ({ input }) => {
      const meant = Number((Number(input) * 100).toPrecision(12));
      const hint = meant < 100 ? `did you mean ${meant}?` : 'such as 99.9';
      return `objectives are per cent, so ${String(input)} means ${String(input)}%: ${hint}`;
    },
  })
  .lt(100, {
    error: 'expected less than 100 per cent: an objective of 100 leaves no budget to alert on',
  });

export const labelNameSchema = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, {
  error: 'expected a label name: letters, digits and underscores, not beginning with a digit',
});

export const querySchema = z.string({ error: 'expected PromQL' }).overwrite(withoutComments);

const text = z.string({ error: 'expected text' });

/** Like Go, reads YAML numbers and booleans as the written text. */
const looseText = z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' });

/** The mistake in a text that Prometheus expands; undefined if there is none. */
export function templateProblem(text: unknown): string | undefined {
  if (typeof text !== 'string' || !text.includes('{{')) return undefined;
  try {
    parseAlertTemplate(text);
    return undefined;
  } catch (error) {
    if (error instanceof TemplateError) return `bad template: ${error.message}`;
    throw error;
  }
}

/** The value of a label or an annotation. */
export const templateSchema = text.superRefine((value, context) => {
  const message = templateProblem(value);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/** Texts of alerts: Prometheus refuses a whole file because of one bad template. */
const textsOf = <S extends z.ZodType>(value: S, prefix = '') =>
  z.record(z.string(), value).superRefine((map, context) => {
    for (const [key, text] of Object.entries(map)) {
      const message = key.startsWith(prefix) ? templateProblem(text) : undefined;
      if (message !== undefined) context.addIssue({ code: 'custom', path: [key], message });
    }
  });

const labelsOf = <S extends z.ZodType>(value: S, own: readonly string[]) =>
  textsOf(value).superRefine((labels, context) => {
    for (const key of Object.keys(labels)) {
      if (!labelNameSchema.safeParse(key).success) {
        context.addIssue({ code: 'custom', path: [key], message: 'expected a label name' });
      } else if (reservedLabels.includes(key) && !own.includes(key)) {
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `the label ${key} is set by the rules themselves; expected another name`,
        });
      }
    }
  });

/** Annotations, whose names are those of labels; with `prefix`, only those that begin with it, which goes. */
const annotationsOf = <S extends z.ZodType>(value: S, prefix = '') =>
  textsOf(value, prefix).superRefine((map, context) => {
    for (const key of Object.keys(map).filter((k) => k.startsWith(prefix))) {
      if (labelNameSchema.safeParse(key.slice(prefix.length)).success) continue;
      const message = 'expected a name of letters, digits and underscores';
      context.addIssue({ code: 'custom', path: [key], message });
    }
  });

/** A user's labels; labels that the rules set themselves are refused. */
export const labelsSchema = labelsOf(text, []);

/** Labels of one severity's alert, which may rename the severity: `severity: critical`. */
export const alertLabelsSchema = labelsOf(text, [severityLabel]);

/** The same in other tools' formats, in which numbers are taken as text. */
export const looseLabelsSchema = labelsOf(looseText, []);
export const looseAlertLabelsSchema = labelsOf(looseText, [severityLabel]);
export const looseAnnotationsSchema = annotationsOf(looseText);

export const annotationsSchema = annotationsOf(text);

/** Annotations of an object of Kubernetes; those with the prefix go to the alerts. */
export const objectAnnotationsSchema = (prefix: string) => annotationsOf(text, prefix);

export const durationSchema = z
  .string({ error: 'expected a duration such as 5m' })
  .refine((text) => parseDurationMs(text) !== undefined, {
    error: 'expected a duration such as 300ms, 30s, 5m or 1h30m',
  });

export const ms = (text: string): number => parseDurationMs(text) as number;
