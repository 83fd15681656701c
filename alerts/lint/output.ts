/** Writes findings for people, for programs, and for code review (SARIF 2.1.0). */
import { pathToFileURL } from 'node:url';
import { packageVersion } from '../../base/paths.js';
import { type Style } from '../../base/terminal.js';
import { type Finding, lintRules, type LintRuleId } from './model.js';
import type { LintFile } from './source.js';

export function lintText(findings: readonly Finding[], style: Style): string {
  const lines = findings.map(({ place, level, rule, message, fix, edit }) => {
    const paint = level === 'error' ? style.red : style.yellow;
    const at = `${place.file}:${place.line}:${place.column}`;
    return (
      `${style.bold(at)}: ${paint(level)} ${rule}: ${message}\n` +
      `    ${fix}${edit ? style.dim(' (--fix)') : ''}\n`
    );
  });
  return lines.join('');
}

export function lintJson(findings: readonly Finding[]): string {
  const plain = findings.map(({ place, edit, ...rest }) => ({
    ...place,
    ...rest,
    fixable: edit !== undefined,
  }));
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}

/** SARIF (https://docs.oasis-open.org/sarif/sarif/v2.1.0), which GitHub and GitLab show beside a change. */
export function lintSarif(findings: readonly Finding[], files: readonly LintFile[]): string {
  const ids = Object.keys(lintRules) as LintRuleId[];
  const texts = new Map(files.map((f) => [f.file, f.text]));
  const region = (text: string | undefined, edit: { from: number; to: number }) => {
    const at = (offset: number) => {
      const before = (text ?? '').slice(0, offset).split('\n');
      return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
    };
    const [start, end] = [at(edit.from), at(edit.to)];
    return {
      startLine: start.line,
      startColumn: start.column,
      endLine: end.line,
      endColumn: end.column,
    };
  };
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'firedrill alerts lint',
            semanticVersion: packageVersion(),
            informationUri: 'https://firedrill.dev',
            rules: ids.map((id) => ({
              id,
              shortDescription: { text: lintRules[id][1] },
              defaultConfiguration: { level: lintRules[id][0] },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map((f) => {
          const artifactLocation = { uri: uriOf(f.place.file) };
          return {
            ruleId: f.rule,
            ruleIndex: ids.indexOf(f.rule),
            level: f.level,
            message: { text: `${f.message}. ${f.fix}` },
            locations: [
              {
                physicalLocation: {
                  artifactLocation,
                  region: { startLine: f.place.line, startColumn: f.place.column },
                },
                ...(f.subject === '' ? {} : { logicalLocations: [{ name: f.subject }] }),
              },
            ],
            ...(f.edit
              ? {
                  fixes: [
                    {
                      description: { text: f.fix },
                      artifactChanges: [
                        {
                          artifactLocation,
                          replacements: [
                            {
                              deletedRegion: region(texts.get(f.place.file), f.edit),
                              insertedContent: { text: f.edit.text },
                            },
                          ],
                        },
                      ],
                    },
                  ],
                }
              : {}),
          };
        }),
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

/** Relative paths stay relative, so that they fit the repository that shows them. */
const uriOf = (file: string): string =>
  file.startsWith('/')
    ? pathToFileURL(file).href
    : file.split('/').map(encodeURIComponent).join('/');
