/**
 * Whether one version is newer than another: major, minor and patch as numbers; an unreadable version is never newer.
 */

export function isNewerVersion(version: string, than: string): boolean {
  const [a, b] = [numbersOf(version), numbersOf(than)];
  if (!a || !b) return false;
  for (const [i, part] of a.entries()) {
    const other = b[i] as number;
    if (part !== other) return part > other;
  }
  return false;
}

function numbersOf(version: string): number[] | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return found ? found.slice(1).map(Number) : undefined;
}
