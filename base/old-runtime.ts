/** Whether the Node that runs this is one that nobody mends any more. */

/** Older majors get no security fixes: 20 since April 2026. */
const oldestMaintained = 22;
const recommended = 24;

/** One line, or undefined where there is nothing to say. `version` as in process.versions.node. */
export function oldRuntimeWarning(version: string): string | undefined {
  const major = Number(version.split('.')[0]);
  if (!(major < oldestMaintained)) return undefined;
  return `Node ${major} is past its end of life: this works on it, and gets no fixes there; Node ${recommended} does.`;
}
