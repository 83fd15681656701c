/** Style is a test: what the tree must never hold, with what to do instead. */
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
    for (const match of text.matchAll(/from '(\.[^']+)'/g)) {
      const target = relative(packageRoot, join(packageRoot, file, '..', match[1] as string));
      const other = downhill.indexOf(target.split('/')[0] as string);
      if (other > own) uphill.push(`${file} imports ${target}`);
    }
  }
  expect(uphill).toEqual([]);
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

/** The one place that names the drill which comes with the package, as data. */
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

/** The build makes one file each of these, with what they import. */
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
