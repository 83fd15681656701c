/** Makes the mesh's authority short-lived for a drill and restores it afterwards: its files are kept meanwhile. */
import { existsSync, readFileSync } from 'node:fs';
import { writeFileWhole } from '../../base/write-file.js';
import { addTrustAnchor, pkiFiles, rotateIssuer } from '../../mesh/identity/pki-files.js';
import { trustDomain } from './topology.js';

export type AuthorityPart = 'issuer' | 'anchor';

/** Makes a new issuer or one more anchor with this lifetime; resolves to a function that restores the files. */
export async function shortLived(
  folder: string,
  part: AuthorityPart,
  lifetimeMs: number,
): Promise<() => void> {
  const files = pkiFiles(folder);
  // The key comes first, in the order in which a rotation writes the files.
  const touched =
    part === 'issuer'
      ? [files.keyFile, files.certificateFile]
      : [files.trustAnchorKeyFile, files.trustAnchorsFile];
  const before = touched
    .filter((file) => existsSync(file))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }));
  if (part === 'issuer') await rotateIssuer(folder, { trustDomain, issuerLifetimeMs: lifetimeMs });
  else await addTrustAnchor(folder, { trustDomain, anchorLifetimeMs: lifetimeMs });
  return () => {
    for (const { file, text } of before) writeFileWhole(file, text, 0o600);
  };
}
