/**
 * `proxy-init` as its own program for the init container, because the time to load it delays the pod's start. With
 * `--config FILE` it then becomes the proxy, as the proxy's own user and without any capability.
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { program } from '../../../base/paths.js';
import { applyRedirection, type Redirection, redirectionOf } from './redirection.js';

try {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      'inbound-port': text,
      'outbound-port': text,
      'proxy-uid': text,
      'skip-inbound-ports': text,
      'skip-outbound-ports': text,
      config: text,
    },
  });
  const redirection = redirectionOf({
    inboundPort: values['inbound-port'],
    outboundPort: values['outbound-port'],
    proxyUid: values['proxy-uid'],
    skipInboundPorts: values['skip-inbound-ports'],
    skipOutboundPorts: values['skip-outbound-ports'],
  });
  applyRedirection(redirection);
  if (values.config !== undefined) await becomeProxy(redirection);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : exitCode.usage;
}

/** Changes from root to the proxy's user permanently: the kernel removes all capabilities from every thread. */
async function becomeProxy({ proxyUserId }: Redirection): Promise<void> {
  process.setgroups?.([]);
  process.setgid?.(proxyUserId);
  process.setuid?.(proxyUserId);
  // The proxy reads the same arguments, and starts from its own code cache.
  await import(pathToFileURL(program('mesh/proxy/main')).href);
}
