/** Tests enforce the style: each forbidden form in the tree is reported with its remedy. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../base/paths.js';

const folders = [
  'base',
  'mesh',
  'slo',
  'alerts',
  'chaos',
  'runbooks',
  'console',
  'bench',
  'examples',
  'executable',
  'test',
];

function sources(folder: string): { file: string; text: string }[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && /\.tsx?$/.test(e.name))
    .map((e) => join(e.parentPath, e.name))
    .map((path) => ({ file: relative(packageRoot, path), text: readFileSync(path, 'utf8') }));
}

const files = folders.filter((f) => existsSync(join(packageRoot, f))).flatMap(sources);

test('no line is longer than 120 columns', () => {
  const long = files.flatMap(({ file, text }) =>
    text
      .split('\n')
      .map((line, i) => ({ at: `${file}:${i + 1}`, length: line.length }))
      .filter((line) => line.length > 120)
      .map((line) => line.at),
  );
  expect(long).toEqual([]);
});

test('no file is called utils, helpers or manager', () => {
  expect(files.map((f) => f.file).filter((f) => /(utils?|helpers?|manager)\.ts$/.test(f))).toEqual(
    [],
  );
});

/** Each folder may import itself, base/ and the folders before it in this list. */
const downhill = ['base', 'mesh', 'slo', 'alerts', 'runbooks', 'chaos', 'console'];

test('imports point from later folders to earlier ones only', () => {
  const uphill: string[] = [];
  for (const { file, text } of files) {
    const own = downhill.indexOf(file.split('/')[0] as string);
    if (own < 0) continue;
    // Imports at load time, imports on demand, and programs that are started by their path.
    for (const match of text.matchAll(
      /from '(\.[^']+)'|import\('(\.[^']+)'\)|(?<!`)program\('([^']+)'\)/g,
    )) {
      const path = match[1] ?? match[2];
      const target =
        path === undefined
          ? (match[3] as string)
          : relative(packageRoot, join(packageRoot, file, '..', path));
      const other = downhill.indexOf(target.split('/')[0] as string);
      if (other > own) uphill.push(`${file} imports ${target}`);
    }
  }
  expect(uphill).toEqual([]);
});

test('no files import each other in a circle at run time', () => {
  const imports = new Map<string, string[]>();
  for (const { file, text } of files) {
    const found = [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from '(\.[^']+)\.js'/gm)];
    const paths = found.map((match) => join(file, '..', match[1] as string));
    imports.set(file.replace(/\.tsx?$/, ''), paths);
  }
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, above: string[]): void => {
    const at = above.indexOf(file);
    if (at >= 0) circles.push([...above.slice(at), file].join(' > '));
    if (at >= 0 || done.has(file)) return;
    for (const other of imports.get(file) ?? []) visit(other, [...above, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  expect(circles).toEqual([]);
  expect(imports.size).toBeGreaterThan(500);
});

test('each exported function, constant and class is used by another file', () => {
  const users = new Map<string, Set<string>>();
  const atTheTop = readdirSync(packageRoot)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: readFileSync(join(packageRoot, file), 'utf8') }));
  for (const { file, text } of [...files, ...atTheTop])
    for (const [word] of text.matchAll(/[A-Za-z_$][\w$]*/g))
      users.set(word, (users.get(word) ?? new Set()).add(file));
  const alone: string[] = [];
  const declared = /^export (?:async )?(?:abstract )?(?:function\*?|const|class) ([\w$]+)/gm;
  for (const { file, text } of files)
    for (const [, name = ''] of text.matchAll(declared))
      if (users.get(name)?.size === 1) alone.push(`${name} in ${file}`);
  // Stryker reads `strykerPlugins`; this line is its second mention.
  expect(alone).toEqual([]);
});

test('zod is imported as a namespace, of which a bundle holds the used parts only', () => {
  const whole = files.filter(({ text }) => /import (type )?\{[^}]*\} from 'zod'/.test(text));
  expect(whole.map(({ file }) => file)).toEqual([]);
});

test('folders are made by makeFolder, because below /proc a recursive mkdir never ends', () => {
  const product = files.filter(({ file }) => !file.startsWith('test/'));
  const found = product.filter(({ text }) => /\bmkdir(Sync)?\([^;]*recursive: true/.test(text));
  expect(found.map(({ file }) => file)).toEqual([]);
});

test('bodies of answers are read by boundedText and boundedJson, because they may be endless', () => {
  const product = files.filter(({ file }) => !/^(test|bench|examples|console\/page)\//.test(file));
  const found = product.filter(({ text }) =>
    /\bresponse\.(text|json|arrayBuffer|blob)\(/.test(text),
  );
  expect(found.map(({ file }) => file)).toEqual([]);
});

test('the proxy imports nothing heavy', () => {
  const heavy = /from '(@kubernetes|yaml|handlebars|zod|commander|@grafana|node-forge)/;
  const found = files
    .filter((f) => f.file.startsWith('mesh/proxy/') && !/commands|config-file/.test(f.file))
    .filter((f) => heavy.test(f.text))
    .map((f) => f.file);
  expect(found).toEqual([]);
});

test('HTTP/1.1 and HTTP/2 know nothing of each other', () => {
  const found = files
    .filter((f) => /^mesh\/proxy\/http[12]\//.test(f.file))
    .filter(({ file, text }) => {
      const other = file.startsWith('mesh/proxy/http1/') ? 'http2' : 'http1';
      return text.includes(`from '../${other}/`);
    })
    .map((f) => f.file);
  expect(found).toEqual([]);
});

/** The only file that names the package's own drill, as data. */
const namesBundled = ['chaos/system/bundled.ts'];

test('the product knows no path of the examples', () => {
  const product = new Set([...downhill, 'cli.ts', 'main.ts']);
  const found = files
    .filter(({ file }) => product.has(file.split('/')[0] as string) && !namesBundled.includes(file))
    .flatMap(({ file, text }) =>
      [...text.matchAll(/['"`](\.\.?\/)*examples\/[\w./-]*/g)].map(
        (match) => `${file}: ${match[0]}`,
      ),
    );
  expect(found).toEqual([]);
});

/** The build bundles each of these into one file, together with its imports. */
const bundled = /^(bundle\.ts|console\/page\/.*|mesh\/kubernetes\/client\/kubeconfig\.ts)$/;

test('what the product imports is installed with it', () => {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(packageRoot, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string>>;
  const installed = new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies)]);
  const product = new Set([...downhill, 'examples', 'cli.ts', 'main.ts', 'command-line.ts']);
  // k6 runs the scripts of chaos/load/k6 itself; a library's example imports the package.
  const isGiven = (name: string): boolean => /^(node:|k6$|k6\/|firedrill\/)/.test(name);
  const found = files
    .filter(({ file }) => product.has(file.split('/')[0] as string) && !bundled.test(file))
    .flatMap(({ file, text }) =>
      [
        ...text.matchAll(
          /^(?:import|export)(?! type)[^;]*? from '([^.'][^']*)'|\bimport\('([^.'][^']*)'\)/gm,
        ),
      ]
        .map((match) => match[1] ?? match[2] ?? '')
        .filter((name) => !isGiven(name))
        .filter((name) => !installed.has(/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name))
        .map((name) => `${file}: ${name}`),
    );
  expect(found).toEqual([]);
});

/** Files and functions that were longer when the rule came: they may shrink, and no other may join them. */
const longFiles = ['chaos/gameday/gameday.ts', 'runbooks/commands.ts'];
const longFunctions: Readonly<Record<string, number>> = {
  'alerts/lint/output.ts': 77,
  'alerts/proof/pack/run.ts': 75,
  'alerts/routing/contacts.ts': 82,
  'alerts/routing/declaration.ts': 79,
  'chaos/export/chaos-mesh.ts': 97,
  'chaos/gameday/gameday.ts': 86,
  'chaos/runner/arms.ts': 79,
  'chaos/scenarios/read.ts': 97,
  'console/page/service-view.tsx': 106,
  'console/server.ts': 75,
  'examples/patterns/external-proxy/pattern.ts': 81,
  'examples/patterns/two-domains/pattern.ts': 86,
  'mesh/controller/controller.ts': 117,
  'mesh/controller/metrics.ts': 125,
  'mesh/identity/identity-command.ts': 97,
  'mesh/kubernetes/inject/injector.ts': 72,
  'mesh/kubernetes/install/manifests.ts': 73,
  'mesh/kubernetes/install/webhooks.ts': 77,
  'mesh/proxy/http1/head.ts': 179,
  'mesh/proxy/http2/heads.ts': 92,
  'runbooks/commands.ts': 133,
  'runbooks/events.ts': 79,
  'slo/dashboards/executive.ts': 74,
  'slo/dashboards/on-call.ts': 82,
  'slo/dashboards/slo.ts': 81,
  'slo/rules/explain.ts': 74,
  'slo/spec/commands.ts': 105,
};

/** The lines of each function from its head to the closing brace at the head's indentation. */
function lengths(text: string): number[] {
  const lines = text.split('\n');
  const head = new RegExp(
    '^( *)(?:export )?(?:async )?(?:function\\b|' +
      '(?:(?:private|static|override|async|get|set) )*#?\\w+\\([^;]*\\)?[^;=]*\\{$|' +
      '(?:const|let) \\w+ = (?:async )?\\([^;]*\\{$)',
  );
  return lines.flatMap((line, i) => {
    const indent = head.exec(line)?.[1];
    if (indent === undefined || /^ *(if|for|while|switch|return|else|catch|do)\b/.test(line))
      return [];
    const end = lines.findIndex(
      (l, j) => j > i && l.startsWith(`${indent}}`) && !/^ *\}[ :]/.test(l),
    );
    return end < 0 ? [] : [end - i + 1];
  });
}

test('no function of the product has more than 70 lines, no file more than 480', () => {
  const product = files.filter(({ file }) => !/^(test|bench)\//.test(file));
  const functions = product.flatMap(({ file, text }) => {
    const longest = Math.max(0, ...lengths(text));
    return longest > (longFunctions[file] ?? 70) ? [`${file}: ${longest} lines`] : [];
  });
  const tooLong = product
    .filter(({ file, text }) => text.split('\n').length - 1 > 480 && !longFiles.includes(file))
    .map(({ file }) => file);
  expect([...functions, ...tooLong]).toEqual([]);
});

/** The number of fixed sleeps when the rule came; a new test steps a clock, or polls with a bound. */
const fixedSleeps = 32;

test('tests have no new fixed sleep, and none that is skipped or alone without a reason', () => {
  const tests = files.filter(
    ({ file }) => file.startsWith('test/') && file !== 'test/tidy.test.ts',
  );
  const sleeps = tests.flatMap(
    ({ text }) => text.match(/await sleep\([0-9_]{3,}\)|setTimeout\(\w+, [0-9_]{4,}\)/g) ?? [],
  );
  expect(sleeps.length).toBeLessThanOrEqual(fixedSleeps);
  const silent = tests
    .filter(({ text }) => /\b(test|it|describe)\.(only|todo|skip)\((?!`[^`]*\$\{why\})/.test(text))
    .map(({ file }) => file);
  expect(silent).toEqual([]);
});

test('every folder says what it is', () => {
  const without = folders.filter((folder) => !existsSync(join(packageRoot, folder, 'README.md')));
  expect(without).toEqual([]);
});
