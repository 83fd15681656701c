/** Reads a firedrill.yaml, and reports every mistake with file, line and column before anything is started. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { whyNoDisk } from '../faults/disk.js';
import { type Place, type Problem, UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { type At, checkYaml, handwrittenBytes, type Path, readYaml } from '../../base/yaml.js';
import { onPath } from '../../base/tools.js';
import { loadAt, type LoadPlan } from '../load/load-file.js';
import { plainTemplate } from '../load/profile.js';
import {
  type DrillFile,
  drillSchema,
  type ProcessesSpec,
  type ServiceSpec,
  type SystemSpec,
} from './drill-schema.js';
import { attachProblems } from './attach/problems.js';
import { clashProblems } from './clashes.js';
import { networkProblems, networksProblem } from './network-problems.js';
import { hasSidecar } from './processes/layout.js';
import { templateNames } from './templates.js';

export const drillFileName = 'firedrill.yaml';
/** Requests per second of `GET /` at the entry, if the file defines no load. */
const defaultRate = 50;

/** The parts of a drill that are resolved: files found, patterns expanded. */
type Resolved = 'slos' | 'rules' | 'scenarios' | 'alertmanager' | 'silences' | 'load';

export interface Drill extends Omit<DrillFile, Resolved> {
  /** Absolute. */
  file: string;
  folder: string;
  load: LoadPlan;
  /** Absolute paths. */
  slos: string[];
  rules: string[];
  alertmanager?: string;
  silences?: string;
  /** Absolute paths, or names of built-in scenarios. */
  scenarios: string[];
  /** The place of the value at that path in the file. */
  placeOf(path: Path): Place;
}

export function readDrill(file: string): Drill {
  const [document, ...more] = readYaml(file, { bytesMax: handwrittenBytes });
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not a drill`,
      expected: 'one YAML document',
    });
  }
  const value = checkYaml(document, drillSchema);
  const problems: Problem[] = [];
  const at: At = (path, message, expected) => {
    const place = document.placeOf(path);
    problems.push({ place, message, ...(expected !== undefined && { expected }) });
  };
  const folder = dirname(resolve(file));
  const lists = {
    slos: filesOf(value.slos, folder, ['slos'], at),
    rules: filesOf(value.rules, folder, ['rules'], at),
    scenarios: filesOf(value.scenarios, folder, ['scenarios'], at, /^[a-z0-9-]+$/),
  };
  const { alertmanager, silences, ...rest } = value;
  const load: LoadPlan =
    value.load === undefined
      ? { kind: 'profile', profile: plainTemplate(defaultRate) }
      : loadAt(document, ['load']);
  const routing = alertmanager === undefined ? undefined : resolve(folder, alertmanager);
  if (routing !== undefined && !isFile(routing)) {
    at(['alertmanager'], `${alertmanager}: no such file`);
  }
  const silenced = silences === undefined ? undefined : resolve(folder, silences);
  if (silenced !== undefined && !isFile(silenced)) at(['silences'], `${silences}: no such file`);
  if (value.system.kind === 'processes') processesProblems(value.system, folder, at);
  if (value.system.kind === 'attach') attachProblems(value.system, folder, at);
  const isThere = value.system.kind === 'attach' || value.system.kind === 'kubernetes';
  if (isThere && !urlOf(value.system) && load.kind !== 'existing') {
    at(['system'], 'there is no url to send the load to', 'url, or load: existing');
  }
  if (problems.length > 0) throw new UserError(problems);
  return {
    ...rest,
    ...lists,
    file: resolve(file),
    folder,
    load,
    placeOf: (path) => document.placeOf(path),
    ...(routing !== undefined && { alertmanager: routing }),
    ...(silenced !== undefined && { silences: silenced }),
  };
}

const urlOf = (system: SystemSpec): string | undefined =>
  'url' in system ? system.url : undefined;

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();

/** Existing files, and patterns expanded by the names in their folder; values that match `names` are kept unchanged. */
function filesOf(list: string[], folder: string, path: Path, at: At, names?: RegExp): string[] {
  return list.flatMap((item, i) => {
    if (names?.test(item)) return [item];
    const full = isAbsolute(item) ? item : join(folder, item);
    if (dirname(full).includes('*') && !existsSync(dirname(full))) {
      at([...path, i], `${item}: only the name of a file may have *, and no folder’s`);
      return [];
    }
    if (!basename(full).includes('*')) {
      if (!isFile(full)) at([...path, i], `${item}: no such file`);
      return [full];
    }
    const parts = basename(full).split('*');
    const fits = (name: string): boolean => {
      const [first = '', last = ''] = [parts[0], parts.at(-1)];
      return name.length >= first.length + last.length && fitsInOrder(name, parts);
    };
    const parent = dirname(full);
    const found = existsSync(parent)
      ? readdirSync(parent).filter((name) => fits(name) && isFile(join(parent, name)))
      : [];
    if (found.length === 0) at([...path, i], `${item}: no file fits`);
    return found.sort().map((name) => join(parent, name));
  });
}

/** `*` matches any characters: the parts occur in order, the first and the last at the ends. */
function fitsInOrder(name: string, parts: readonly string[]): boolean {
  let from = 0;
  for (const [i, part] of parts.entries()) {
    if (i === 0) {
      if (!name.startsWith(part)) return false;
      from = part.length;
    } else if (i === parts.length - 1) {
      return name.endsWith(part) && name.length - part.length >= from;
    } else {
      const found = name.indexOf(part, from);
      if (found < 0) return false;
      from = found + part.length;
    }
  }
  return true;
}

/** Problems that the fields alone do not show: names that nothing has, templates without a value. */
function processesProblems(spec: ProcessesSpec, folder: string, at: At): void {
  const services = Object.keys(spec.services);
  const root: Path = ['system', 'services'];
  if (spec.entry !== undefined && !services.includes(spec.entry)) {
    at(['system', 'entry'], `no service '${spec.entry}'`, services.join(', '));
  }
  for (const name of Object.keys(spec.dependencies)) {
    if (services.includes(name)) {
      at(['system', 'dependencies', name], `'${name}' is a service already`, 'another name');
    }
  }
  networksProblem(spec, at);
  clashProblems(spec, at);
  for (const [name, service] of Object.entries(spec.services)) {
    const path = [...root, name];
    const cwd = resolve(folder, service.folder);
    if (!existsSync(cwd) || !statSync(cwd).isDirectory()) {
      at([...path, 'folder'], `${service.folder}: no such folder`);
    }
    if (name === 'controller') at(path, "'controller' is the mesh's own name", 'another name');
    const ports = Object.keys(service.ports);
    const isShared = service.network === 'shared';
    if (
      isShared &&
      service.replicas > 1 &&
      Object.values(service.ports).some((p) => p !== 'auto')
    ) {
      at([...path, 'ports'], `${service.replicas} replicas cannot share a port`, 'auto');
    }
    const needs: [Path, string | undefined][] = [
      [['ready', 'tcp'], service.ready?.tcp],
      [['ready', 'port'], service.ready?.port],
      [['metrics', 'port'], service.metrics?.port],
    ];
    for (const [field, wanted] of needs) {
      if (wanted === undefined || ports.includes(wanted)) continue;
      at([...path, ...field], `${name} has no port '${wanted}'`, ports.join(', '));
    }
    if (service.ready?.log !== undefined && !isRegex(service.ready.log)) {
      at([...path, 'ready', 'log'], 'not a regular expression');
    }
    const noDisk = service.disk === undefined ? undefined : whyNoDisk();
    if (noDisk !== undefined) at([...path, 'disk'], `no disk of its own here: ${noDisk}`);
    programProblem(spec, service, path, at);
    if (service.sidecar && !hasSidecar(spec, name)) {
      at([...path, 'sidecar'], `${name} has no sidecar`, 'mesh: plain or mtls');
    }
    callProblems(spec, name, service, at);
    networkProblems(spec, name, service, path, at);
    templateProblems(spec, name, service, at);
  }
}

/** A program given by name must be on PATH, unless a preparation step may install it. */
function programProblem(spec: ProcessesSpec, service: ServiceSpec, path: Path, at: At): void {
  const [program = ''] = typeof service.command === 'string' ? [] : service.command;
  if (program === '' || /[/$]/.test(program)) return;
  if (spec.prepare.length > 0 || service.env.PATH !== undefined || onPath(program)) return;
  at([...path, 'command', 0], `no program '${program}' on PATH`);
}

function callProblems(spec: ProcessesSpec, name: string, service: ServiceSpec, at: At): void {
  for (const [call, target] of Object.entries(service.calls)) {
    const path: Path = ['system', 'services', name, 'calls', call];
    if (target.dependency !== undefined && !spec.dependencies[target.dependency]) {
      const known = Object.keys(spec.dependencies).join(', ') || 'none: dependencies is empty';
      at([...path, 'dependency'], `no dependency '${target.dependency}'`, known);
    }
    if (target.service === undefined) continue;
    const callee = spec.services[target.service];
    if (!callee) {
      const known = Object.keys(spec.services).join(', ');
      at([...path, 'service'], `no service '${target.service}'`, known);
    } else if (target.port !== undefined && callee.ports[target.port] === undefined) {
      const known = Object.keys(callee.ports).join(', ');
      at([...path, 'port'], `${target.service} has no port '${target.port}'`, known);
    }
  }
}

/** Every name that a template of the service may use. */
function templateVocabulary(spec: ProcessesSpec, service: ServiceSpec): string[] {
  return [
    ...Object.keys(service.ports).map((port) => `ports.${port}`),
    ...Object.keys(service.calls).flatMap((call) =>
      ['url', 'host', 'port'].map((part) => `calls.${call}.${part}`),
    ),
    ...Object.entries(spec.services).flatMap(([name, { ports }]) =>
      Object.keys(ports).map((port) => `services.${name}.${port}`),
    ),
    'replica',
    'data',
    'folder',
  ];
}

function templateProblems(spec: ProcessesSpec, name: string, service: ServiceSpec, at: At): void {
  const known = templateVocabulary(spec, service);
  const texts: [Path, string][] = [
    ...(typeof service.command === 'string'
      ? [[['command'], service.command] as [Path, string]]
      : service.command.map((text, i): [Path, string] => [['command', i], text])),
    ...Object.entries(service.env).map(([key, value]): [Path, string] => [
      ['env', key],
      String(value),
    ]),
    ...sidecarTexts(service),
  ];
  for (const [field, text] of texts) {
    for (const used of templateNames(text)) {
      // In a text for sh, the shell has its own variables.
      const path = ['system', 'services', name, ...field];
      const far = portFarAway(spec, name, service, used);
      if (far !== undefined) at(path, far, '${calls.NAME.url}');
      const shell = typeof service.command === 'string' && /^\w+$/.test(used);
      if (known.includes(used) || shell) continue;
      at(path, `nothing is called \${${used}}`, known.map((k) => `\${${k}}`).join(', '));
    }
  }
}

const sidecarTexts = ({ sidecar }: ServiceSpec): [Path, string][] => {
  const texts: [Path, string | undefined][] = [
    [['sidecar', 'accessLog'], sidecar?.accessLog],
    [['sidecar', 'traces', 'url'], sidecar?.traces?.url],
  ];
  return texts.filter((text): text is [Path, string] => text[1] !== undefined);
};

/** A port of the machine means nothing in another network. */
function portFarAway(
  spec: ProcessesSpec,
  name: string,
  service: ServiceSpec,
  used: string,
): string | undefined {
  const [, other] = /^services\.([^.]+)\./.exec(used) ?? [];
  if (other === undefined || other === name) return undefined;
  const own = service.network === 'own' ? name : other;
  if (spec.services[own]?.network !== 'own') return undefined;
  return `\${${used}} leads nowhere: ${own} has a network of its own`;
}

function isRegex(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp;
  } catch {
    return false;
  }
}
