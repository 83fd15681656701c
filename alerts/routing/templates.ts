/**
 * Checks the templates of an alertmanager.yml: its files and the texts of its receivers. A file that does not parse
 * keeps Alertmanager from starting; a bad text, or one that names an undefined template, makes each notification fail.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, type Place, type Problem } from '../../base/errors.js';
import type { Path, YamlDocument } from '../../base/yaml.js';
import { glob } from '../../base/glob.js';
import { TemplateError } from '../../slo/template/lex.js';
import { type Node, parseTemplate } from '../../slo/template/parse.js';
import type { AmConfig } from './config.js';

/** Functions of Go and of Alertmanager 0.25 to 0.34. */
const known: ReadonlySet<string> = new Set(
  (
    'and or not eq ne lt le gt ge len index slice call print printf println html js urlquery ' +
    'toUpper toLower title trimSpace join match safeHtml safeUrl urlUnescape reReplaceAll stringSlice ' +
    'routeLabels date tz now since humanizeDuration toDate mustToDate toJson list append dict'
  ).split(' '),
);

/** The templates that Alertmanager brings: `__subject`, `slack.default.title`, `email.default.html`. */
const own = new RegExp(
  '^(__(alertmanager(URL)?|subject|description|text_alert_list(_markdown)?)|' +
    '(slack|pagerduty|opsgenie|wechat|victorops|pushover|sns|telegram|discord|webex|msteams(v2)?|jira|rocketchat|' +
    'mattermost|email)\\.default\\.(title(link)?|username|fallback|callbackid|pretext|icon(emoji|url)|emoji|text|' +
    'footer|color|description|client(URL)?|instances|message|source|to_(user|party|tag)|agent_id|state_message|' +
    'entity_display_name|monitoring_tool|url|subject|content|summary|priority|alias|html))$',
);

const fileMaxBytes = 1024 * 1024;

/**
 * Mistakes in existing templates. A pattern without files is reported elsewhere, and may define any template: its files
 * are often on Alertmanager's machine alone.
 */
export function problemsOfTemplates(config: AmConfig, document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const defined = new Set<string>();
  const used: { name: string; place: Place }[] = [];
  const read = (text: string, place: (offset: number) => Place): void => {
    try {
      const { body, defined: own } = parseTemplate(text, known, []);
      for (const name of own.keys()) defined.add(name);
      for (const nodes of [body, ...own.values()]) {
        for (const { name, offset } of usesOf(nodes)) used.push({ name, place: place(offset) });
      }
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      problems.push({ place: place(error.offset), message: `bad template: ${error.message}` });
    }
  };
  const patterns = config.templates ?? [];
  const files = patterns.map((pattern) => [...glob(resolve(dirname(document.file), pattern))]);
  files.forEach((found, i) => {
    for (const file of found) {
      try {
        if (statSync(file).size > fileMaxBytes) throw new Error(`${file} is above 1 MiB`);
        const text = readFileSync(file, 'utf8');
        read(text, (offset) => placeIn(file, text, offset));
      } catch (error) {
        problems.push({ place: document.placeOf(['templates', i]), message: messageOf(error) });
      }
    }
  });
  config.receivers.forEach((receiver, i) => {
    for (const [path, text] of textsOf(receiver, ['receivers', i])) {
      read(text, (offset) => document.placeWithin(path, offset));
    }
  });
  for (const { name, place } of used) {
    if (files.some((found) => found.length === 0)) break;
    if (defined.has(name) || own.test(name)) continue;
    problems.push({ place, message: `no template '${name}' is defined` });
  }
  return problems;
}

function placeIn(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function* textsOf(value: unknown, path: Path): Generator<[Path, string]> {
  if (typeof value === 'string') {
    if (value.includes('{{')) yield [path, value];
  } else if (typeof value === 'object' && value !== null) {
    const isList = Array.isArray(value);
    for (const [key, child] of Object.entries(value)) {
      yield* textsOf(child, [...path, isList ? Number(key) : key]);
    }
  }
}

function* usesOf(nodes: readonly Node[]): Generator<{ name: string; offset: number }> {
  for (const node of nodes) {
    if (node.kind === 'template') yield node;
    if (node.kind === 'if' || node.kind === 'with' || node.kind === 'range') {
      yield* usesOf(node.body);
      yield* usesOf(node.otherwise);
    }
  }
}
