import { stringify } from 'yaml';

/** The values as the documents of one YAML text. No line is folded: kubectl and reviewers compare line by line. */
export const yamlDocuments = (values: readonly unknown[]): string =>
  values.map((value) => stringify(value, { lineWidth: 0 })).join('---\n');
