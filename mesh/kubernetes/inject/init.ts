/** `proxy-init` as a program of its own, for the init container: a pod's start waits for whatever it loads. */
import { parseArgs } from 'node:util';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { applyRedirection, redirectionOf } from './redirection.js';

try {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      'inbound-port': text,
      'outbound-port': text,
      'proxy-uid': text,
      'skip-inbound-ports': text,
      'skip-outbound-ports': text,
    },
  });
  applyRedirection(
    redirectionOf({
      inboundPort: values['inbound-port'],
      outboundPort: values['outbound-port'],
      proxyUid: values['proxy-uid'],
      skipInboundPorts: values['skip-inbound-ports'],
      skipOutboundPorts: values['skip-outbound-ports'],
    }),
  );
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : exitCode.usage;
}
