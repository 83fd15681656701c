/** The place of an installation's issuer: its own Secret, somebody else's (`identity.issuerSecret`), or Vault. */
import { parseYaml } from '../../base/yaml.js';
import type { KubeApi } from './client/api.js';
import { type AnyObject, resources } from './client/objects.js';
import { names } from './install/names.js';

interface Config {
  identity?: { issuer?: { secret?: string }; vault?: { enabled?: boolean } };
}

/** From the controller's configuration; undefined: Vault. Without a configuration, the usual Secret. */
export async function issuerSecretOf(api: KubeApi, namespace: string): Promise<string | undefined> {
  const config = `${names.controller}-config`;
  const found = await api.find<AnyObject>(resources.ConfigMap, namespace, config);
  const text = (found?.data as Record<string, string> | undefined)?.['controller.yaml'] ?? '';
  const { identity } = (parseYaml('controller.yaml', text)[0]?.value ?? {}) as Config;
  if (identity?.vault?.enabled === true) return undefined;
  return identity?.issuer?.secret ?? names.issuerSecret;
}
