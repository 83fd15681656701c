/** `firedrill init`: writes a firedrill.yaml from its options, or from the files in the folder. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { makeFolder } from '../../base/make-folder.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';
import { readYaml } from '../../base/yaml.js';
import { writeFileWhole } from '../../base/write-file.js';
import { readScenarios } from '../scenarios/read.js';
import { drillFileName, readDrill } from './drill-file.js';
import { type StarterFile, starterFiles } from './starter.js';
import { eachWhole } from '../../base/choice-option.js';

interface InitOptions {
  service: string[];
  /** `front=back`. */
  call: string[];
  name?: string;
  force?: boolean;
  print?: boolean;
  bare?: boolean;
}

interface Found {
  name: string;
  command: string;
  calls?: string[];
}

export function registerInit(parent: Command): void {
  parent
    .command('init')
    .description('Write a drill for your own services: firedrill.yaml, load, rules, scenarios')
    .option(
      '--service <name=command>',
      'a service and its start command; repeatable',
      eachWhole,
      [],
    )
    .option(
      '--call <caller=callee>',
      'a call; the caller finds the address in CALLEE_URL; repeatable',
      eachWhole,
      [],
    )
    .option('--name <name>', "name of the drill (default: the folder's)")
    .option('--print', 'print to standard output instead of writing files')
    .option('--bare', 'write firedrill.yaml alone, without a load, rules and scenarios')
    .option('--force', 'replace an existing firedrill.yaml')
    .addHelpText(
      'after',
      `
Without --service it looks for a Procfile, a compose file or the start script of a package.json; at a terminal it asks.

Example:
  firedrill init --service front='node front.js' --service back='node back.js' --call front=back`,
    )
    .action(async (options: InitOptions) => {
      process.exitCode = await init(options, process.cwd());
    });
}

export async function init(options: InitOptions, folder: string): Promise<number> {
  const file = join(folder, drillFileName);
  if (!options.print && !options.force && existsSync(file)) {
    throw new UserError({ message: `${drillFileName} is there already`, expected: '--force' });
  }
  let services = options.service.map(readService);
  const leftOut: string[] = [];
  if (services.length === 0) services = detect(folder, leftOut);
  if (services.length === 0 && process.stdin.isTTY) services = await ask();
  const why = leftOut.map((reason) => `; ${reason}`).join('');
  if (services.length === 0) {
    throw new UserError({
      message: `no Procfile, compose file or start script says how a service is started${why}`,
      expected: "--service front='node front.js'",
    });
  }
  nameEachOnce(services);
  withCalls(services, options.call);
  const starter = options.bare ? [] : starterOf(services, folder);
  const name = nameFrom(options.name ?? basename(resolve(folder)));
  const text = drillText(name, services, !options.bare);
  if (options.print) {
    process.stdout.write(text);
    return exitCode.ok;
  }
  for (const part of starter) {
    makeFolder(dirname(join(folder, part.path)));
    writeFileWhole(join(folder, part.path), part.text);
  }
  writeFileWhole(file, text);
  readScenarios(readDrill(file).scenarios);
  const written = [`${drillFileName} (${services.map((s) => s.name).join(', ')})`];
  for (const reason of leftOut) process.stderr.write(`left out: ${reason}\n`);
  process.stdout.write(
    `written: ${[...written, ...starter.map((s) => s.path)].join(', ')}\n` +
      (options.bare
        ? 'next: say their ports and calls there, add rules/ and scenarios/, then firedrill gameday plan\n'
        : 'next: say in load.yaml what callers ask for, then firedrill gameday plan, firedrill gameday run\n'),
  );
  return exitCode.ok;
}

/** Starter files that do not exist yet: a user's files are never changed. */
function starterOf(services: readonly Found[], folder: string): StarterFile[] {
  const [entry] = services as [Found];
  const parts = services.map(({ name, calls = [] }) => ({ name, calls }));
  return starterFiles(parts, entry.name).filter(({ path }) => !existsSync(join(folder, path)));
}

function readService(text: string): Found {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at)).trim();
  const command = text.slice(at + 1).trim();
  if (at > 0 && /^[a-z][a-z0-9-]*$/.test(name) && command !== '') return { name, command };
  const expected = 'name=command, the name of lower case letters, digits and dashes';
  throw new UserError({ message: `bad --service '${text}'`, expected });
}

function nameEachOnce(services: readonly Found[]): void {
  for (const [i, { name }] of services.entries()) {
    if (name === 'controller') {
      throw new UserError({ message: "'controller' is the mesh's own name", expected: 'another' });
    }
    if (services.findIndex((s) => s.name === name) < i) {
      throw new UserError({ message: `two services are called ${name}`, expected: 'one of each' });
    }
  }
}

function withCalls(services: readonly Found[], calls: readonly string[]): void {
  for (const call of calls) {
    const [from, to] = call.split('=').map((name) => services.find((s) => s.name === name.trim()));
    if (!from || !to) {
      const expected = `caller=callee of ${services.map((s) => s.name).join(', ')}`;
      throw new UserError({ message: `bad --call '${call}'`, expected });
    }
    from.calls ??= [];
    if (!from.calls.includes(to.name)) from.calls.push(to.name);
  }
}

const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .replace(/-+$/, '') || 'drill';

/**
 * A Procfile's lines, a compose file's services with a command, or the start script. Adds the entries that cannot be
 * used to `leftOut`, with the reason.
 */
export function detect(folder: string, leftOut: string[]): Found[] {
  const read = (name: string): string | undefined => {
    const path = join(folder, name);
    return existsSync(path) ? readInput(path) : undefined;
  };
  const procfile = read('Procfile');
  if (procfile !== undefined) {
    return procfile.split('\n').flatMap((line) => {
      const [, name, command] = /^([\w-]+):\s*(.+)$/.exec(line.trim()) ?? [];
      if (name === undefined || command === undefined) {
        if (/^\s*[^\s#]/.test(line))
          leftOut.push(`the Procfile's '${line.trim()}', not name: command`);
        return [];
      }
      if (name !== 'release') return [{ name: nameFrom(name), command }];
      leftOut.push('release of the Procfile, which runs once: say it as prepare');
      return [];
    });
  }
  const compose = readdirSync(folder).find((n) => /^(docker-)?compose\.ya?ml$/.test(n));
  if (compose !== undefined) {
    const found = composeServices(join(folder, compose), leftOut);
    if (found.length > 0) return found;
  }
  const manifest = read('package.json');
  return manifest === undefined ? [] : startScript(manifest, folder, leftOut);
}

function startScript(manifest: string, folder: string, leftOut: string[]): Found[] {
  let value: { name?: unknown; scripts?: { start?: unknown } } | null;
  try {
    value = JSON.parse(manifest) as typeof value;
  } catch (error) {
    throw new UserError(`package.json: ${messageOf(error)}`);
  }
  const start = value?.scripts?.start;
  if (typeof start !== 'string') {
    leftOut.push('package.json has no start script');
    return [];
  }
  // npm searches this folder first.
  const own = join('node_modules', '.bin', start.split(' ')[0] as string);
  const command = existsSync(join(folder, own)) ? `${dirname(own)}/${start}` : start;
  const name = typeof value?.name === 'string' ? value.name : 'app';
  return [{ name: nameFrom(name), command }];
}

/** Converts a list of arguments to an equivalent text for sh. */
const shellText = (args: readonly unknown[]): string =>
  args
    .map(String)
    .map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(' ');

interface ComposeService {
  entrypoint?: unknown;
  command?: unknown;
}

function composeServices(file: string, leftOut: string[]): Found[] {
  const value = readYaml(file)[0]?.value as { services?: Record<string, ComposeService | null> };
  const words = (said: unknown): string =>
    Array.isArray(said) ? shellText(said) : typeof said === 'string' ? said.trim() : '';
  return Object.entries(value?.services ?? {}).flatMap(([name, service]) => {
    const parts = [words(service?.entrypoint), words(service?.command)];
    const text = parts.filter((part) => part !== '').join(' ');
    // Options alone are for the program that the image starts.
    if (text === '' || text.startsWith('-')) {
      const why = text === '' ? 'no command' : 'only options as its command';
      leftOut.push(`${name} of ${basename(file)}, which has ${why}`);
      return [];
    }
    // Compose writes $ as $$.
    return [{ name: nameFrom(name), command: text.replaceAll('$$', () => '$') }];
  });
}

async function ask(): Promise<Found[]> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const found: Found[] = [];
  try {
    for (;;) {
      const name = (await lines.question('service (empty: that was all): ')).trim();
      if (name === '') return found;
      const command = (await lines.question(`how is ${name} started: `)).trim();
      found.push(readService(`${name}=${command}`));
    }
  } finally {
    lines.close();
  }
}

/** Quotes a text for YAML: JSON's quotes are valid YAML. */
const quoted = (text: string): string => JSON.stringify(text);

function drillText(name: string, services: readonly Found[], full: boolean): string {
  const [first] = services as [Found];
  const off = full ? '' : '# ';
  return `# What firedrill gameday run drills in this folder. Every field: chaos/system/README.md; for editors:
# firedrill gameday schema drill
apiVersion: firedrill.dev/v1
kind: Drill
name: ${name}
timeScale: auto
system:
  kind: processes
  services:
${services.map(serviceText).join('')}  entry: ${first.name}
# slos: [slos/*.yaml]
${off}rules: [rules/*.yaml]
# alertmanager: alertmanager.yml
${off}load: load.yaml # default: GET / at the entry
${off}scenarios: [scenarios/*.yaml]
`;
}

const noCalls = '# calls: { back: { service: back } } # its address is ${calls.back.url}';

function serviceText({ name, command, calls = [] }: Found): string {
  const urls = calls.map(
    (to) => `${to.toUpperCase().replaceAll('-', '_')}_URL: '${'$'}{calls.${to}.url}'`,
  );
  const env = ["PORT: '${ports.http}'", ...urls].join(', ');
  const own = calls.map((to) => `${to}: { service: ${to} }`).join(', ');
  return `    ${name}:
      command: ${quoted(command)}
      env: { ${env} }
      ${own === '' ? noCalls : `calls: { ${own} }`}
      # ready: { http: /ready, within: 30s } # default: its port accepts connections
      # metrics: { path: /metrics }
`;
}
