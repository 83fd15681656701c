/** Issues a workload certificate from the keys in a folder, without a controller. */
import { realClock } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';
import { writeFileWhole } from '../../base/write-file.js';
import { createCsr, generateWorkloadKey } from './csr.js';
import { intermediatesOf } from './issuing.js';
import { parseIdentity } from './names.js';
import { pkiFiles, readIssuer } from './pki-files.js';
import { notAfterMs } from './x509.js';

const headStartMs = 10_000;

/** Writes `<out>.key` (0600), then `<out>.crt` with the chain. */
export async function issueToFiles(request: {
  folder: string;
  identity: string;
  out: string;
  lifetimeMs: number;
}): Promise<void> {
  const name = parseIdentity(request.identity);
  if (!name) {
    throw new UserError({
      message: `${request.identity} is not an identity`,
      expected: 'ACCOUNT.NAMESPACE.serviceaccount.identity.TRUST-DOMAIN',
    });
  }
  const nowMs = realClock.nowMs();
  const issuing = readIssuer(pkiFiles(request.folder), nowMs);
  const key = generateWorkloadKey();
  const leaf = await issuing.issue({
    csr: createCsr(key, request.identity),
    publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
    name,
    notBeforeMs: nowMs - headStartMs,
    notAfterMs: Math.min(
      nowMs + request.lifetimeMs,
      ...issuing.chain.slice(0, 1).map((issuer) => notAfterMs(issuer)),
    ),
  });
  const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileWhole(`${request.out}.key`, pem, 0o600);
  const chain = [leaf, ...intermediatesOf(issuing)].map((certificate) => certificate.toString());
  writeFileWhole(`${request.out}.crt`, chain.join(''));
}
