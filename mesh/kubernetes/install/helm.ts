/**
 * The Helm chart, made from the same objects: each value is a symbol during construction, and then a template action.
 */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeFolder } from '../../../base/make-folder.js';
import { packageVersion } from '../../../base/paths.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { manifests } from './manifests.js';
import type { MonitoringParts } from './monitoring.js';
import { defaultValues, haValues, type Values, valuesJsonSchema } from './values.js';

const symbol = /@@([a-zA-Z.]+)@@/g;

/** Each leaf becomes `@@its.path@@`; the code that builds objects only passes values on and does not read them. */
function symbols(tree: unknown, path: string): unknown {
  if (typeof tree !== 'object' || tree === null) return `@@${path}@@`;
  return Object.fromEntries(
    Object.entries(tree).map(([key, below]) => [
      key,
      symbols(below, path === '' ? key : `${path}.${key}`),
    ]),
  );
}

const action = (path: string): string =>
  path === 'namespace' ? '.Release.Namespace' : `.Values.${path}`;

/** Files of the chart by name. */
export function chartFiles(monitoring: MonitoringParts): Map<string, string> {
  const files = new Map<string, string>();
  const { namespace: _namespace, ...values } = defaultValues();
  const version = packageVersion();
  files.set(
    'Chart.yaml',
    stringify({
      apiVersion: 'v2',
      name: 'firedrill',
      description: 'The mesh controller, the injector and their custom resources.',
      type: 'application',
      version,
      appVersion: version,
    }),
  );
  files.set('values.yaml', stringify(values));
  files.set('values-ha.yaml', stringify(haValues));
  files.set('values.schema.json', `${JSON.stringify(valuesJsonSchema(), undefined, 2)}\n`);
  const parts = new Map<string, string[]>();
  for (const { object, when } of manifests(
    symbols(defaultValues(), '') as Values,
    '',
    monitoring,
  )) {
    // Helm creates the release's namespace itself (--create-namespace).
    if (object.kind === 'Namespace' && when === undefined) continue;
    const text = toTemplate(stringify(object, { lineWidth: 0 }));
    const wrapped = when ? `{{- if .Values.${when} }}\n${text}{{- end }}\n` : text;
    const kebab = object.kind.replace(/(?<!^)[A-Z]/g, (c) => `-${c}`).toLowerCase();
    const file = `templates/${kebab}.yaml`;
    parts.set(file, [...(parts.get(file) ?? []), wrapped]);
  }
  for (const [file, texts] of parts) files.set(file, texts.map((t) => `---\n${t}`).join(''));
  return files;
}

/** A whole scalar keeps its type (toJson); a symbol within a string is inserted unchanged. */
function toTemplate(yaml: string): string {
  return (
    yaml
      // Rules and dashboards contain their own templates.
      .replaceAll('{{', '{{ "{{" }}')
      .replace(/"@@([a-zA-Z.]+)@@"/g, (_all, path: string) => `{{ ${action(path)} | toJson }}`)
      .replace(symbol, (_all, path: string) => `{{ ${action(path)} }}`)
  );
}

export function writeChart(folder: string, monitoring: MonitoringParts): string[] {
  const written: string[] = [];
  for (const [name, text] of chartFiles(monitoring)) {
    const file = join(folder, name);
    makeFolder(join(file, '..'));
    writeFileWhole(file, text);
    written.push(file);
  }
  return written;
}
