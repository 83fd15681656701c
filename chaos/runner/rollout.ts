/** Whether a published configuration has reached the proxies, by what they say they serve. */
import { askJson, type System } from '../faults/system.js';

/** Names of the proxies that serve the revision, and of those that do not. */
export async function rollout(
  system: System,
  revision: number,
): Promise<{ have: string[]; lack: string[] }> {
  const have: string[] = [];
  const lack: string[] = [];
  await Promise.all(
    system.description.workloads.map(async (workload) => {
      const config = await askJson<unknown>(`${system.proxyAdmin(workload)}/config`).catch(
        () => '',
      );
      const serves = JSON.stringify(config).includes(`-r${revision}"`);
      (serves ? have : lack).push(workload.proxy);
    }),
  );
  return { have: have.sort(), lack: lack.sort() };
}

export const publish = async (system: System): Promise<number> =>
  (await askJson<{ revision: number }>(`${system.admin}/revision`, { method: 'POST' })).revision;
