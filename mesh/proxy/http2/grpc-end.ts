/** The end of a gRPC call, of the proxy and of the controller. */
import type { Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';

/** The head of a call's answer. */
export const grpcHead: readonly Field[] = [
  makeField(':status', '200', true),
  makeField('content-type', 'application/grpc', true),
];

/** Status and message, as trailers or, if there was no head yet, as the whole answer. */
export function grpcEnd(status: number, message: string, isTrailers: boolean): Field[] {
  const fields = isTrailers ? [] : [...grpcHead];
  fields.push(makeField('grpc-status', String(status), true));
  if (message !== '') fields.push(makeField('grpc-message', encodeMessage(message), false));
  return fields;
}

/**
 * As gRPC requires: each octet of UTF-8 is percent-encoded, but printable ASCII other than the percent sign. Half of
 * a pair of UTF-16 units becomes U+FFFD.
 */
const encodeMessage = (message: string): string =>
  message.replace(/[^ -$&-~]+/g, (run) =>
    Buffer.from(run, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
