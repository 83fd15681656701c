/** Reads SLOs from files, folders and standard input, each document in any supported format. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { messageOf, type Problem, Unsupported, UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { parseYaml, readYaml, type YamlDocument } from '../../base/yaml.js';
import { deadPages } from '../rules/dead-pages.js';
import type { WindowTable } from '../rules/windows.js';
import { compositeProblems, withLags } from './composites.js';
import { groupProblems } from './groups.js';
import type { Period, Slo } from './model.js';
import { isOpenSlo, readOpenSlo } from './openslo.js';
import { versions } from './openslo-schema.js';
import { alphaApiVersion, readOpenSloAlpha } from './openslo-alpha.js';
import { readOwn } from './own.js';
import { ownApiVersion } from './own-schema.js';
import { readPyrra } from './pyrra.js';
import { withOwnGroups } from './query-groups.js';
import { readSloth, readSlothObject } from './sloth.js';

export interface ReadOptions {
  /** Period for formats that do not define one. */
  period?: Period;
  /** Called with problems of documents that are valid but not supported here; absent: such problems are errors. */
  refused?: (problems: readonly Problem[]) => void;
  /**
   * Windows that replace the standard tables, for the check that a page can fire; `any` where no alert is made, since
   * those of the rules are not known.
   */
  windows?: WindowTable | 'any';
}

const formats = [
  `apiVersion: ${ownApiVersion}`,
  'version: prometheus/v1',
  'apiVersion: sloth.slok.dev/v1',
  ...Object.keys(versions).map((version) => `apiVersion: ${version}`),
  `apiVersion: ${alphaApiVersion}`,
  'apiVersion: pyrra.dev/v1alpha1',
].join(', ');

/**
 * The files of the given paths, in order; a folder stands for all YAML files below it that are not hidden, sorted.
 * `-` is kept.
 */
export function listFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (path === '-') return [path];
    let folder: boolean;
    try {
      folder = statSync(path).isDirectory();
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw new UserError(`${path}: ${missing ? 'no such file or folder' : messageOf(error)}`);
    }
    if (!folder) return [path];
    const files = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((e) => /\.ya?ml$/.test(e.name))
      .map((e) => join(e.parentPath, e.name))
      // Kubernetes mounts a file as a link into a hidden folder; a link to nowhere is told when it is read.
      .filter((file) => !/(^|[/\\])\../.test(relative(path, file)))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
      .sort();
    if (files.length === 0) throw new UserError(`${path}: no .yaml or .yml file in this folder`);
    return files;
  });
}

/** Every SLO in the given files; throws one UserError with the mistakes of all files. */
export function readSlos(paths: readonly string[], options: ReadOptions = {}): Slo[] {
  const problems: Problem[] = [];
  const documents: YamlDocument[] = [];
  for (const file of listFiles(paths)) {
    collect(problems, () => {
      const found = readYaml(file);
      if (found.length === 0) {
        throw new UserError({
          message: `${inputName(file)}: the file is empty`,
          expected: 'an SLO',
        });
      }
      documents.push(...found);
    });
  }
  return finish(documents, problems, options);
}

/** The SLOs in one text, for tests and callers without a file. */
export function readSloText(file: string, text: string, options: ReadOptions = {}): Slo[] {
  return finish(parseYaml(file, text), [], options);
}

function finish(documents: YamlDocument[], problems: Problem[], options: ReadOptions): Slo[] {
  const slos: Slo[] = [];
  const openSlo: YamlDocument[] = [];
  const refused: Problem[] = [];
  for (const part of documents.flatMap((d) => d.parts)) {
    const document = headOf(part).apiVersion === ownApiVersion ? part : part.withoutNulls();
    collect(
      problems,
      () => {
        const { apiVersion } = headOf(document);
        if (isOpenSlo(apiVersion) && apiVersion !== alphaApiVersion) openSlo.push(document);
        else slos.push(...readDocument(document, options));
      },
      refused,
    );
  }
  // OpenSLO objects may refer to one another across files.
  if (openSlo.length > 0) {
    collect(problems, () => {
      const found = readOpenSlo(openSlo, options.period ?? { days: 30 });
      slos.push(...found.slos.map(withOwnGroups));
      refused.push(...found.refused);
    });
  }
  problems.push(
    ...duplicates(slos),
    ...compositeProblems(slos),
    ...groupProblems(slos),
    ...(options.windows === 'any' ? [] : deadPages(slos, options.windows)),
  );
  if (!options.refused || (slos.length === 0 && problems.length === 0)) problems.push(...refused);
  if (problems.length > 0) throw new UserError(problems);
  if (slos.length === 0) throw new UserError({ message: 'no SLO was found', expected: formats });
  if (refused.length > 0) options.refused?.(refused);
  return withLags(slos);
}

function collect(problems: Problem[], run: () => void, refused = problems): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    (error instanceof Unsupported ? refused : problems).push(...error.problems);
  }
}

const headOf = (document: YamlDocument): { apiVersion?: unknown; version?: unknown } =>
  typeof document.value === 'object' && document.value !== null ? document.value : {};

function readDocument(document: YamlDocument, options: ReadOptions): Slo[] {
  const { apiVersion, version } = headOf(document);
  if (apiVersion === ownApiVersion) return readOwn(document);
  if (version === 'prometheus/v1') return readSloth(document, options).map(withOwnGroups);
  if (apiVersion === 'sloth.slok.dev/v1') {
    return readSlothObject(document, options).map(withOwnGroups);
  }
  if (apiVersion === alphaApiVersion) return readOpenSloAlpha(document).map(withOwnGroups);
  if (apiVersion === 'pyrra.dev/v1alpha1') return readPyrra(document);
  const said = apiVersion ?? version;
  throw new UserError({
    place: document.placeOf(apiVersion === undefined ? ['version'] : ['apiVersion']),
    message:
      said === undefined
        ? 'the document does not say which format it is in'
        : `unknown format '${String(said)}'`,
    expected: `one of ${formats}`,
  });
}

function duplicates(slos: readonly Slo[]): Problem[] {
  const seen = new Map<string, Slo>();
  const problems: Problem[] = [];
  for (const slo of slos) {
    const first = seen.get(slo.id);
    if (!first) {
      seen.set(slo.id, slo);
      continue;
    }
    const at = first.place ? ` (first at ${first.place.file}:${first.place.line})` : '';
    problems.push({
      ...(slo.place ? { place: slo.place } : {}),
      message: `the SLO ${slo.id} is defined twice${at}`,
      expected: 'another name or service',
    });
  }
  return problems;
}
