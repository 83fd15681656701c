/** Checks whether a published configuration has reached the proxies, by the revision that each proxy reports. */
import { askJson } from '../system/ask.js';
import type { System } from '../system/model.js';

/** Names of the proxies that serve the revision, and of those that do not. */
export async function rollout(
  system: System,
  revision: number,
): Promise<{ have: string[]; lack: string[] }> {
  const have: string[] = [];
  const lack: string[] = [];
  await Promise.all(
    system.description.workloads.map(async (workload) => {
      const admin = system.proxyAdmin(workload);
      if (admin === undefined) return;
      const config = await askJson<unknown>(`${admin}/config`).catch(() => '');
      const serves = JSON.stringify(config).includes(`-r${revision}"`);
      (serves ? have : lack).push(workload.proxy ?? workload.name);
    }),
  );
  return { have: have.sort(), lack: lack.sort() };
}
