/** Builds the product's image from this checkout by the Dockerfile's own lines, without a registry or a builder. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { asset, packageRoot } from '../../base/paths.js';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

/** Copies a program and the libraries that it names. */
export function addProgram(root: string, file: string, at: string): void {
  const put = (from: string, to: string): void => {
    if (existsSync(to)) return;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(realpathSync(from), to);
  };
  put(file, join(root, at));
  for (const [library] of run('ldd', realpathSync(file)).matchAll(/\/\S+/g))
    put(library, root + library);
}

/** Writes an image in the format that `ctr images import` reads. */
export function writeImage(
  root: string,
  out: string,
  name: string,
  config: { Entrypoint: string[]; User?: string; WorkingDir?: string },
): void {
  const layer = join(dirname(out), `${basename(out)}.layer`);
  mkdirSync(layer, { recursive: true });
  run('tar', '-C', root, '-cf', join(layer, 'layer.tar'), '.');
  const [digest] = run('sha256sum', join(layer, 'layer.tar')).split(' ');
  const text = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Env: ['PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], ...config },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    history: [{ created: '2026-01-01T00:00:00Z' }],
  });
  const file = `${createHash('sha256').update(text).digest('hex')}.json`;
  writeFileSync(join(layer, file), text);
  const manifest = [{ Config: file, RepoTags: [name], Layers: ['layer.tar'] }];
  writeFileSync(join(layer, 'manifest.json'), JSON.stringify(manifest));
  run('tar', '-C', layer, '-cf', out, file, 'manifest.json', 'layer.tar');
}

/** Follows the second stage of the Dockerfile; node and iptables are this machine's. */
export function productImage(folder: string, name: string): string {
  const root = join(folder, 'product');
  const dockerfile =
    readFileSync(asset('Dockerfile'), 'utf8')
      .split(/^FROM .*$/m)
      .at(-1) ?? '';
  if (!/^COPY --from=build \S+ \/app \/app$/m.test(dockerfile)) {
    throw new Error('the Dockerfile copies something else than the installed package to /app');
  }
  copyPackage(join(root, 'app'));
  copyDependencies(join(root, 'app', 'node_modules'));
  addProgram(root, process.execPath, 'usr/local/bin/node');
  addProgram(root, '/bin/sh', 'bin/sh');
  addProgram(root, '/usr/bin/nsenter', 'usr/bin/nsenter');
  for (const kind of ['nft', 'legacy']) {
    const multi = `/usr/sbin/xtables-${kind}-multi`;
    addProgram(root, multi, `usr/sbin/iptables-${kind}`);
    addProgram(root, multi, `usr/sbin/iptables-${kind}-restore`);
    if (kind === 'legacy') continue;
    for (const alias of ['iptables', 'iptables-restore'])
      addProgram(root, multi, `usr/sbin/${alias}`);
  }
  const [plugins = ''] = run('sh', '-c', 'ls -d /usr/lib/*/xtables').split('\n');
  cpSync(plugins, join(root, plugins), { recursive: true });
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const value = (word: string): string =>
    new RegExp(`^${word} (.*)$`, 'm').exec(dockerfile)?.[1] ?? '';
  const out = join(folder, 'product.tar');
  writeImage(root, out, name, {
    Entrypoint: JSON.parse(value('ENTRYPOINT')) as string[],
    User: value('USER'),
    WorkingDir: value('WORKDIR'),
  });
  return out;
}

/** Copies the files that npm would publish, and the code cache beside them. */
function copyPackage(target: string): void {
  const dry = ['--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(run('npm', 'pack', packageRoot, ...dry)) as {
    files: { path: string }[];
  }[];
  const caches = readdirSync(asset('dist/parts')).filter((name) => name.endsWith('.cache'));
  const files = [
    ...(packed?.files ?? []).map(({ path }) => path),
    ...caches.map((name) => `dist/parts/${name}`),
  ];
  for (const path of files) cpSync(asset(path), join(target, path), { recursive: true });
}

/** Copies the dependencies that `npm ci --omit=dev` installs. */
function copyDependencies(target: string): void {
  const modules = join(packageRoot, 'node_modules');
  const listed = run('npm', '--prefix', packageRoot, 'ls', '--omit=dev', '--all', '--parseable');
  for (const path of listed.split('\n').filter((p) => p.startsWith(`${modules}/`))) {
    cpSync(path, join(target, relative(modules, path)), { recursive: true });
  }
}
