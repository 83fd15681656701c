/** Relative paths in a configuration are relative to its file, whatever folder the proxy is started in. */
import { resolve } from 'node:path';
import type { ProxyConfig } from '../model.js';

export function absolutePaths(config: ProxyConfig, folder: string): ProxyConfig {
  const at = (path: string): string => resolve(folder, path);
  const { identity, controller, cacheFolder, accessLog } = config;
  return {
    ...config,
    ...(identity && {
      identity: {
        ...identity,
        trustAnchorsFile: at(identity.trustAnchorsFile),
        ...(identity.certificateFile && { certificateFile: at(identity.certificateFile) }),
        ...(identity.keyFile && { keyFile: at(identity.keyFile) }),
      },
    }),
    ...(controller && { controller: { ...controller, tokenFile: at(controller.tokenFile) } }),
    ...(cacheFolder !== undefined && { cacheFolder: at(cacheFolder) }),
    ...(accessLog !== undefined &&
      accessLog !== 'off' &&
      accessLog !== 'stdout' && { accessLog: at(accessLog) }),
  };
}
