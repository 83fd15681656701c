/** The answer to GET /config: the configuration and the state in use, without secrets. */
import type { Proxy } from '../proxy.js';
import { isSensitive } from '../telemetry/redact.js';

const hidden = '(redacted)';

export function redactedConfig(proxy: Proxy): Record<string, unknown> {
  const { config, controller } = proxy;
  const { state: _state, ...rest } = config;
  return {
    ...(redacted(rest) as object),
    ...(config.tracing && {
      tracing: { ...config.tracing, otlpUrl: withoutSecrets(config.tracing.otlpUrl) },
    }),
    ...(config.controller && { controller: { ...config.controller, tokenFile: hidden } }),
    ...(config.identity && {
      identity: { ...config.identity, ...(config.identity.keyFile && { keyFile: hidden }) },
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

/** A collector's password stands before the host, its key after the path. */
const withoutSecrets = (url: string): string =>
  url.replace(/\/\/[^/@]*@/, `//${hidden}@`).replace(/\?.*/, `?${hidden}`);

/** Values of headers, of those that routes set, match or that probes send, may be credentials. */
function redacted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item) => (isPair(item) ? shownPair(item) : redacted(item)));
  if (typeof value !== 'object' || value === null) return value;
  const { name, value: text } = value as { name?: unknown; value?: unknown };
  const isSecret = typeof name === 'string' && typeof text === 'string' && isSensitive(name);
  const shown = Object.entries(value).map(([key, v]) => [key, redacted(v)]);
  return { ...Object.fromEntries(shown), ...(isSecret && { value: hidden }) };
}

const isPair = (item: unknown): item is [string, string] =>
  Array.isArray(item) && item.length === 2 && item.every((part) => typeof part === 'string');

const shownPair = ([name, text]: [string, string]): [string, string] => [
  name,
  isSensitive(name) ? hidden : text,
];
