/**
 * The bundler makes a part of each group of modules that the same programs use: hundreds, most of them small. Node takes
 * longer to find and link a small part than to run it, so the small ones become one.
 */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { build, type OutputFile } from 'esbuild';

/** A part with at most this many characters is small. */
const smallest = 4000;

/** Every program loads the joined part, so that it loads only built-in modules that cost nearly nothing. */
const light = new Set(
  ['buffer', 'events', 'fs', 'module', 'os', 'path', 'process', 'url', 'util'].flatMap((name) => [
    name,
    `node:${name}`,
  ]),
);

/** As the bundler writes them: `import{a as A,b}from"./chunk-X.js"`, `import"./chunk-X.js"` and one `export{…}`. */
const importOf = /import(?:\{([^{}]*)\}from|)"(\.[\w./-]*\/)([\w-]+\.js)";?/g;
const anySource = /\b(?:from|import)\s*\(?"([^"]+)"/g;
const exportOf = /export\{([^{}]*)\};?\s*$/;

interface File {
  path: string;
  text: string;
}

interface Part {
  name: string;
  text: string;
}

/** `a as A` is two names, `a` one and the same. */
const pairs = (list: string): [string, string][] =>
  list.split(',').map((item) => {
    const [from = '', to = from] = item.trim().split(' as ');
    return [from, to];
  });

/** The small parts that import nothing but one another and light built-in modules: no circle can come of joining them. */
function smallParts(parts: ReadonlyMap<string, string>, needsRequire: RegExp): Part[] {
  const known = new Map<string, boolean>();
  const isSmall = (name: string): boolean => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const text = parts.get(name);
    known.set(name, false);
    const small =
      text !== undefined &&
      name.startsWith('chunk-') &&
      text.length <= smallest &&
      !needsRequire.test(text) &&
      [...text.matchAll(anySource)].every(
        ([, source = '']) => light.has(source) || isSmall(basename(source)),
      );
    known.set(name, small);
    return small;
  };
  return [...parts.keys()]
    .filter(isSmall)
    .sort()
    .map((name) => ({ name, text: parts.get(name) ?? '' }));
}

/** One module of `small`, and the name in it of each export. */
async function joined(
  small: readonly Part[],
  target: string,
): Promise<{ text: string; nameOf: Map<string, string> }> {
  const nameOf = new Map<string, string>();
  const lines = small.map(({ name, text }) => {
    const found = exportOf.exec(text);
    if (!found) return `import "./${name}";`;
    const list = pairs(found[1] ?? '').map(([, outer]) => {
      const own = `m${nameOf.size.toString(36)}`;
      nameOf.set(`${name} ${outer}`, own);
      return `${outer} as ${own}`;
    });
    return `export { ${list.join(', ')} } from "./${name}";`;
  });
  const texts = new Map(small.map(({ name, text }) => [name, text]));
  const { outputFiles } = await build({
    stdin: { contents: lines.join('\n'), loader: 'js' },
    bundle: true,
    write: false,
    minify: true,
    legalComments: 'inline',
    format: 'esm',
    platform: 'node',
    target,
    plugins: [
      {
        name: 'parts in memory',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^\.\// }, ({ path }) => ({ path, namespace: 'part' }));
          onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
            contents: texts.get(basename(path)) ?? '',
          }));
        },
      },
    ],
  });
  return { text: outputFiles[0]?.text ?? '', nameOf };
}

/**
 * The same programs with one part in place of the small ones. `banner` is the line that the bundler writes into each file
 * for those that call `require`; the others lose it. Throws if an import of a small part is left.
 */
export async function withSmallPartsJoined(
  files: readonly OutputFile[],
  { folder, banner, target }: { folder: string; banner: string; target: string },
): Promise<File[]> {
  const needsRequire = /\brequire\b/;
  const texts = files.map(({ path, text }) => {
    const without = text.replace(`${banner}\n`, '');
    return { path, text: needsRequire.test(without) ? text : without };
  });
  const parts = new Map(
    texts.filter(({ path }) => dirname(path) === folder).map((f) => [basename(f.path), f.text]),
  );
  const small = smallParts(parts, needsRequire);
  const { text, nameOf } = await joined(small, target);
  const name = `small-${hashOf(text)}.js`;
  const gone = new Set(small.map((part) => part.name));
  const redirect = (from: string): string => {
    const lists = new Map<string, string[]>();
    const rest = from.replace(
      importOf,
      (whole, list: string | undefined, at: string, part: string) => {
        if (!gone.has(part)) return whole;
        const names = lists.get(at) ?? [];
        if (list !== undefined)
          for (const [outer, inner] of pairs(list)) {
            names.push(`${nameOf.get(`${part} ${outer}`)} as ${inner}`);
          }
        lists.set(at, names);
        return '';
      },
    );
    const imports = [...lists].map(
      ([at, names]) => `import{${names.join(',')}}from"${at}${name}";`,
    );
    const begin = /^#!.*\n/.exec(rest)?.[0] ?? '';
    return begin + imports.join('') + rest.slice(begin.length);
  };
  const kept = texts
    .filter(({ path }) => dirname(path) !== folder || !gone.has(basename(path)))
    .map((file) => ({ path: file.path, text: redirect(file.text) }));
  for (const file of kept) {
    const left = [...file.text.matchAll(anySource)].find(([, from = '']) =>
      gone.has(basename(from)),
    );
    if (left || file.text.includes('undefined as ')) {
      throw new Error(`${file.path}: an import of a part that was joined is left`);
    }
  }
  return renamed(
    withoutFronts([...kept, { path: join(folder, name), text }], folder),
    folder,
    name,
  );
}

/** As the bundler writes it: `import("./name-X.js")`. */
const lazyImportOf = /\bimport\("(\.[\w./-]*\/)([\w-]+\.js)"\)/g;

/**
 * For each module that is imported lazily the bundler makes a file; of many all code is in a part that others use too,
 * and the file only gives that part's exports their names. The importers do that themselves, so that Node reads, and
 * the package contains, a file less.
 */
function withoutFronts(files: readonly File[], folder: string): File[] {
  const fronts = new Map<string, { part: string; named: string }>();
  for (const { path, text } of files) {
    const found = exportOf.exec(text);
    const own = text.replace(importOf, '').replace(exportOf, '').trim();
    const isPart = dirname(path) === folder && !/^(chunk|small)-/.test(basename(path));
    if (!isPart || !found || own !== '') continue;
    const from = [...text.matchAll(importOf)].filter(
      ([, list]) => list !== undefined && list !== '',
    );
    const [, list = '', , part = ''] = from[0] ?? [];
    if (from.length !== 1) continue;
    const outer = new Map(pairs(list).map(([name, local]) => [local, name]));
    const named = pairs(found[1] ?? '').map(
      ([local, name]) => `${name}:m.${outer.get(local) ?? ''}`,
    );
    fronts.set(basename(path), { part, named: named.join(',') });
  }
  const kept = files.filter(({ path }) => !fronts.has(basename(path)));
  return kept.map(({ path, text }) => {
    const direct = text.replace(lazyImportOf, (whole, at: string, name: string) => {
      const front = fronts.get(name);
      return front ? `import("${at}${front.part}").then(m=>({${front.named}}))` : whole;
    });
    const left = [...direct.matchAll(anySource)].find(([, from = '']) =>
      fronts.has(basename(from)),
    );
    if (left) throw new Error(`${path}: an import of ${left[1] ?? ''}, which is left out`);
    return { path, text: direct };
  });
}

/** A part's name stands for its text and that of all that it imports: a program of an older build keeps its own parts. */
function renamed(files: readonly File[], folder: string, small: string): File[] {
  const names = new Map(
    files
      .filter(({ path }) => dirname(path) === folder && basename(path) !== small)
      .map(({ path }) => {
        const name = basename(path);
        return [name, name.replace(/-[A-Z0-9]{8}\.js$/, `-${hashOf(name + small)}.js`)];
      }),
  );
  return files.map(({ path, text }) => ({
    path:
      dirname(path) === folder ? join(folder, names.get(basename(path)) ?? basename(path)) : path,
    text: text.replaceAll(/([\w-]+-[A-Z0-9]{8}\.js)(?=")/g, (name) => names.get(name) ?? name),
  }));
}

const hashOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
