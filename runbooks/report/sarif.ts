/** The findings of a game day as SARIF 2.1.0: each at its scenario's file, for code scanning. */
import { relative } from 'node:path';
import type { GameDayRecord, OutcomeKind, ScenarioRecord } from '../record.js';
import { expectedText, outcomeText, outcomeWords, ownLabels } from '../words.js';

interface Finding {
  rule: string;
  level: 'error' | 'warning';
  text: string;
  /** The key that identifies the same finding in later runs. */
  key: string;
}

const otherRules: Record<string, string> = {
  failed: 'An expectation of a scenario did not hold',
  inconclusive: 'A scenario could not be judged',
  aborted: 'A scenario was aborted',
  unexpected: 'An alert fired that nobody expected',
};

/** `root`: the base of the scenarios' relative file paths, usually the repository. */
export function sarifOf(record: GameDayRecord, root: string = process.cwd()): unknown {
  const found = record.scenarios.map((scenario) => ({ scenario, findings: findingsOf(scenario) }));
  const rules = [...new Set(found.flatMap((f) => f.findings.map(({ rule }) => rule)))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'firedrill',
            version: record.firedrillVersion,
            rules: rules.map((id) => ({ id, shortDescription: { text: ruleText(id) } })),
          },
        },
        automationDetails: { id: `gameday/${record.system.name}` },
        results: found.flatMap(({ scenario, findings }) =>
          findings.map(({ rule, level, text, key }) => ({
            ruleId: rule,
            level,
            message: { text: `${scenario.title}: ${text}` },
            locations: [
              {
                physicalLocation: {
                  artifactLocation: { uri: uriOf(scenario.file, root) },
                  region: { startLine: 1 },
                },
              },
            ],
            partialFingerprints: { finding: `${scenario.id}/${key}` },
          })),
        ),
      },
    ],
  };
}

const ruleText = (id: string): string =>
  otherRules[id] ?? `An expected alert: ${outcomeWords[id as OutcomeKind] ?? id}`;

/** The URI always has slashes, and is encoded. */
function uriOf(file: string, root: string): string {
  const path = file.startsWith('/') ? relative(root, file) : file;
  return path.split(/[\\/]/).map(encodeURIComponent).join('/');
}

function findingsOf(s: ScenarioRecord): Finding[] {
  if (s.verdict === 'PASS') return [];
  const missed = s.expectations
    .filter((e) => !e.inTime)
    .map((e): Finding => ({
      rule: e.outcome?.kind ?? 'late',
      level: 'error',
      text: `${expectedText(e, s.expectations)}: ${outcomeText(e)}`,
      key: [e.name, e.severity, ownLabels(e, s.expectations)].filter(Boolean).join('/'),
    }));
  const unexpected = s.unexpected.map(({ name, severity }): Finding => ({
    rule: 'unexpected',
    level: 'error',
    text: `${name} (${severity}) fired, and nobody expected it`,
    key: `unexpected/${name}`,
  }));
  const told = [...missed, ...unexpected];
  if (s.verdict === 'FAIL' && told.length > 0) return told;
  const rule = s.verdict.toLowerCase().replace('fail', 'failed');
  const level = s.verdict === 'FAIL' ? 'error' : 'warning';
  const reasons = s.reasons.length > 0 ? s.reasons : [s.verdict];
  return reasons.map((text, i) => ({ rule, level, text, key: `${rule}/${i}` }));
}
