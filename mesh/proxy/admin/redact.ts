/** The answer to GET /config: the configuration and the state in use, without secrets. */
import type { Proxy } from '../proxy.js';

const secretHeader = /authorization|cookie|token|secret|password|api-?key/i;

export function redactedConfig(proxy: Proxy): Record<string, unknown> {
  const { config, controller } = proxy;
  const { state: _state, ...rest } = config;
  return {
    ...rest,
    ...(config.controller && { controller: { ...config.controller, tokenFile: '(redacted)' } }),
    ...(config.identity && {
      identity: { ...config.identity, ...(config.identity.keyFile && { keyFile: '(redacted)' }) },
    }),
    ports: proxy.ports,
    pid: process.pid,
    certificate: proxy.identity.describe(),
    stateSource: proxy.stateSource,
    ...(controller && {
      controllerConnection: {
        connected: controller.stats.connected,
        address: controller.stats.address,
        staleSeconds: controller.staleSeconds(),
        version: controller.version,
        lastError: controller.stats.lastError,
      },
    }),
    state: redacted(proxy.state),
  };
}

/** Values of headers that routes set may be credentials. */
function redacted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const [name, text] = value as unknown[];
    if (value.length === 2 && typeof name === 'string' && typeof text === 'string') {
      return secretHeader.test(name) ? [name, '(redacted)'] : value;
    }
    return value.map(redacted);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, redacted(v)]));
}
