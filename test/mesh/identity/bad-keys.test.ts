/** A file that is no key is named, wherever an issuer is read from. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { realClock } from '../../../base/clock.js';
import { UserError } from '../../../base/errors.js';
import { ensurePki, pkiFiles, readIssuer, rotateIssuer } from '../../../mesh/identity/pki-files.js';
import { makePki, SecretIssuerStore } from '../../../mesh/kubernetes/secret-issuer.js';
import { folder, trustDomain } from '../controller/bench-mesh.js';

async function fromSecret(path: string): Promise<unknown> {
  const made = { ...(await makePki(trustDomain, realClock)), 'tls.key': path };
  const data = Object.entries(made).map(([k, text]) => [k, Buffer.from(text).toString('base64')]);
  const api = { find: () => Promise.resolve({ metadata: {}, data: Object.fromEntries(data) }) };
  const options = { namespace: 'firedrill', secret: 'issuer', trustDomain, clock: realClock };
  const store = new SecretIssuerStore(api as never, { ...options, log: () => undefined });
  return store.start(
    () => undefined,
    () => undefined,
  );
}

test.each([
  ["an issuer's file", 'issuer.key', (path: string) => readIssuer(pkiFiles(path), Date.now())],
  ["an anchor's file", 'trust-anchor.key', (path: string) => rotateIssuer(path, { trustDomain })],
  ['a Secret', 'tls.key', fromSecret],
])('%s', async (_, file, use) => {
  const path = folder();
  await ensurePki(path, { trustDomain });
  writeFileSync(`${path}/${file}`, 'no key', { mode: 0o600 });
  const error = await Promise.resolve(path)
    .then(use)
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).toContain(`${file}: not a private key`);
});
