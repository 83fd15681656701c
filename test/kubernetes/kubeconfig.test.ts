/** A kubeconfig that cannot be used is named with the mistake in it, and is no fault of the program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findCredentials } from '../../mesh/kubernetes/client/credentials.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (server: string, user: string): string =>
  `clusters: [{ name: a, cluster: { server: ${server} } }]
users: [{ name: u, user: ${user} }]
contexts: [{ name: a, context: { cluster: a, user: u } }]
current-context: a
`;

test.each([
  ['', /^FILE: not a kubeconfig; expected lists of clusters/],
  ['clusters: 5', /^FILE: it has no current-context; expected --context NAME/],
  ['a: [1\nb: 2', /^FILE:2:1: /],
  [config('nonsense', '{}'), /^FILE: the cluster's server 'nonsense'; expected an address/],
  [
    config('https://127.0.0.1:1', '{ client-certificate: /nofile }'),
    /^FILE: the user of context 'a': .*\/nofile/,
  ],
  [config('https://127.0.0.1:1', '{}').replace('current-context: a', ''), /no current-context/],
])('%j', async (text, expected) => {
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, text);
  const used = findCredentials({ kubeconfig }).then(({ options }) => options());
  const error = await used.then(
    () => undefined,
    (e: unknown) => e as Error,
  );
  expect(error?.name).toBe('UserError');
  expect(error?.message.replaceAll(kubeconfig, 'FILE')).toMatch(expected);
});

test('a context that is not there, and a folder', async () => {
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, config('https://127.0.0.1:1', '{}'));
  await expect(findCredentials({ kubeconfig, context: 'b' })).rejects.toThrow(
    `${kubeconfig}: context 'b' names no cluster`,
  );
  await expect(findCredentials({ kubeconfig: folder })).rejects.toThrow(
    `${folder}: a folder; expected a file`,
  );
});
