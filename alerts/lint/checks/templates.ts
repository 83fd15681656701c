/** Finds templates that do not parse, labels that the result lacks, and values in labels. */
import { suggest } from '../../../base/suggest.js';
import {
  alertVariables,
  functionNames,
  parseAlertTemplate,
  TemplateError,
} from '../../../slo/template/index.js';
import type { Edit } from '../model.js';
import type { Check } from '../context.js';
import { type LabelSet, labelsOf, mayHave } from '../labels.js';
import { type TemplateUse, usesIn } from '../template-uses.js';
import { type LintRule, offsetOf } from '../source.js';

export const templateChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert') return;
  const labels = rule.expr ? labelsOf(rule.expr) : undefined;
  for (const field of ['labels', 'annotations'] as const) {
    for (const [name, text] of Object.entries(rule[field])) {
      if (!text.includes('{{')) continue;
      const path = [...rule.path, field, name];
      const placeAt = (offset: number) => rule.document.placeWithin(path, offset);
      let uses: TemplateUse[];
      try {
        uses = usesIn(parseAlertTemplate(text));
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        say('alert/template', placeAt(error.offset), {
          message: `${field}.${name}: ${error.message}`,
          ...repair(rule, field, name, error),
        });
        continue;
      }
      for (const { label, offset } of uses) {
        if (!labels || label === undefined || mayHave(labels, label) || guarded(text, label))
          continue;
        say('alert/template-label', placeAt(offset), {
          message: `${field}.${name} shows the label ${label}, which the expression removes`,
          fix: adviceOn(label, labels),
        });
      }
      const value = uses.find((use) => use.label === undefined && use.shown);
      if (field === 'labels' && value) {
        say('alert/value-in-label', placeAt(value.offset), {
          message: `the label ${name} contains the value, so that every new value is a new alert`,
          fix: 'put it into an annotation',
        });
      }
    }
  }
};

/** Whether the template tests that the label exists before it shows the label. */
const guarded = (text: string, label: string): boolean =>
  new RegExp(`\\{\\{-?\\s*(if|with)[^}]*[.]${label}\\b`).test(text);

const adviceOn = (label: string, labels: LabelSet): string => {
  if (labels.kind === 'not') return `the result no longer has ${label}`;
  const names = [...labels.names].sort();
  const near = suggest(label, names);
  if (near) return `did you mean ${near}?`;
  return names.length === 0
    ? 'the result has no labels: group by it'
    : `the result has ${names.join(', ')}: add ${label} to the by (…), or show one of these`;
};

/** The nearest existing variable or function for one that does not exist. */
function repair(
  rule: LintRule,
  field: string,
  name: string,
  error: TemplateError,
): { fix: string; edit?: Edit | undefined } {
  const wrong = /(?:variable|function) "(\$?\w+)"/.exec(error.message)?.[1];
  const known = wrong?.startsWith('$') ? alertVariables : functionNames;
  const meant = wrong === undefined ? undefined : suggest(wrong, known);
  if (wrong === undefined || meant === undefined) return { fix: reference };
  const place = rule.document.placeWithin([...rule.path, field, name], error.offset);
  const from = offsetOf(rule.file, place);
  const same = rule.file.text.slice(from, from + wrong.length) === wrong;
  return {
    fix: `did you mean ${meant}?`,
    edit: same ? { from, to: from + wrong.length, text: meant } : undefined,
  };
}

const reference =
  'see https://prometheus.io/docs/prometheus/latest/configuration/template_reference';
