/** Warns about a version of Node that is no longer maintained. */

/** Older major versions get no security fixes: 20 since April 2026. */
const oldestMaintained = 22;
const recommended = 24;

/** The warning in one line; undefined if there is none. `version` as in process.versions.node. */
export function oldRuntimeWarning(version: string): string | undefined {
  const major = Number(version.split('.')[0]);
  if (!(major < oldestMaintained)) return undefined;
  return (
    `Node ${major} is past its end of life and gets no security fixes. ` +
    `Firedrill still works on it; Node ${recommended} is recommended.`
  );
}
