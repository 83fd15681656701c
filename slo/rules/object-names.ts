/** Names of Kubernetes objects, all different: of two objects with one name, the second would replace the first. */
import { createHash } from 'node:crypto';

/** Eight characters that differ where the texts do. */
export const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 8);

/** The names as `clean` writes them; one that is taken already ends with a hash of the original. */
export function distinctNames(
  originals: readonly string[],
  clean: (original: string) => string,
): string[] {
  const taken = new Set<string>();
  return originals.map((original) => {
    const name = clean(original);
    const own = taken.has(name) ? `${name}-${shortHash(original)}` : name;
    taken.add(own);
    return own;
  });
}

/** `slo-cart` for `Cart`: letters, digits, dashes and dots, with a letter or digit beside each dot and at the end. */
export function objectName(name: string): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/-*\.[.-]*/g, '.')
    .slice(0, 230)
    .replace(/[.-]+$/, '');
  return plain.startsWith('slo-') ? plain : `slo-${plain}`;
}
