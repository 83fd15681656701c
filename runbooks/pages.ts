/** The existing pages: runbooks and playbooks as files, found by the name of their alert. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { asset } from '../base/paths.js';
import { checkYaml, parseYaml } from '../base/yaml.js';

const frontMatter = z.strictObject({
  title: z.string().min(1),
  /** The subject of the page: an alert of the library, an alert of any SLO, a failure mode, a major incident. */
  kind: z.enum(['alert', 'slo', 'failure', 'playbook']),
  /** The handbook's failure modes and metrics that the page answers: F3, M9. */
  covers: z.array(z.string()).default([]),
});

export type PageKind = z.infer<typeof frontMatter>['kind'];

export interface Page {
  /** The file's name without `.md`, which equals the alert's name. */
  name: string;
  title: string;
  kind: PageKind;
  covers: string[];
  file: string;
  /** Handlebars over Markdown, without the front matter. */
  template: string;
  /** Lines before `template` in the file. */
  linesBefore: number;
}

const folder = (): string => asset('runbooks/templates');

const filesIn = (path: string): string[] =>
  readdirSync(path)
    .filter((f) => f.endsWith('.md') && f !== 'README.md')
    .sort();

/** All pages by name. Throws a UserError if a front matter is wrong. */
export function readPages(path = folder()): Map<string, Page> {
  return new Map(
    filesIn(path).map((f) => {
      const page = readPage(join(path, f), f.replace(/\.md$/, ''));
      return [page.name, page];
    }),
  );
}

function readPage(file: string, name: string): Page {
  const text = readFileSync(file, 'utf8');
  const match = /^---\n([^]*?)\n---\n/.exec(text);
  const [document] = parseYaml(file, match?.[1] ?? '{}');
  if (!document) throw new Error(`${file}: no front matter`);
  const before = match?.[0] ?? '';
  const linesBefore = before.split('\n').length - 1;
  return {
    name,
    file,
    template: text.slice(before.length),
    linesBefore,
    ...checkYaml(document, frontMatter),
  };
}

/** Pieces that several pages share, by name. */
export function readParts(path = join(folder(), 'parts')): Map<string, string> {
  return new Map(
    filesIn(path).map((f) => [f.replace(/\.md$/, ''), readFileSync(join(path, f), 'utf8')]),
  );
}

/** The shared pieces with their files, for checks. */
export function partSources(
  path = join(folder(), 'parts'),
): { file: string; text: string; linesBefore: number }[] {
  return [...readParts(path)].map(([name, text]) => {
    return { file: join(path, `${name}.md`), text, linesBefore: 0 };
  });
}

/** The page of an alert: its own page, or otherwise the page for alerts of any SLO if the alert belongs to one. */
export function pageFor(
  pages: ReadonlyMap<string, Page>,
  alert: string,
  isSlo: boolean,
): Page | undefined {
  const own = pages.get(alert);
  if (own || !isSlo) return own;
  return pages.get(alert.endsWith('NoData') ? 'SloNoData' : 'SloBudgetBurn');
}
