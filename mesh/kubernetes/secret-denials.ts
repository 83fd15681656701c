/** Keeps the denied certificates in the issuer's Secret, which the controllers watch. */
import { denialsFile, parseDenials } from '../identity/denials.js';
import type { DenialKeeper } from '../identity/deny-command.js';
import { KubeApi } from './client/api.js';
import { findCredentials } from './client/credentials.js';
import { type KubeObject, resources } from './client/objects.js';
import { names } from './install/names.js';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

export const denialsOf = ({ data, metadata }: Secret): ReturnType<typeof parseDenials> => {
  const text = data?.[denialsFile];
  if (text === undefined) return [];
  return parseDenials(
    Buffer.from(text, 'base64').toString('utf8'),
    `${metadata.name}: ${denialsFile}`,
  );
};

export async function denialsInSecret(options: {
  kubeconfig?: string | undefined;
  namespace: string;
}): Promise<DenialKeeper> {
  const api = new KubeApi(await findCredentials({ kubeconfig: options.kubeconfig }));
  const { namespace } = options;
  const get = (): Promise<Secret> =>
    api.get<Secret>(resources.Secret, namespace, names.issuerSecret);
  return {
    read: async () => denialsOf(await get()),
    change: async (next) => {
      const secret = await get();
      const text = Buffer.from(JSON.stringify(next(denialsOf(secret)))).toString('base64');
      // The resourceVersion guards against a lost update: after a concurrent write this one fails.
      const { resourceVersion } = secret.metadata;
      await api.patch(resources.Secret, namespace, names.issuerSecret, {
        metadata: { resourceVersion },
        data: { [denialsFile]: text },
      });
      api.close();
    },
  };
}
