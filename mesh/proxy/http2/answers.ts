/** The proxy's own answers. */
import type { Refusal } from '../flow/contract.js';
import { fieldsOf } from './edits.js';
import type { Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';

const statusOk = makeField(':status', '200', true);
const grpcType = makeField('content-type', 'application/grpc', true);

/** The head of a plain-text answer with a body of `bytes` bytes. */
export function answerHead(refusal: Refusal, bytes: number): Field[] {
  const fields = [makeField(':status', String(refusal.status), true), ...fieldsOf(refusal.headers)];
  if (bytes > 0) fields.push(makeField('content-type', 'text/plain; charset=utf-8', true));
  fields.push(makeField('content-length', String(bytes), true));
  return fields;
}

/** The end of a gRPC call, as trailers or, if there was no head yet, as the whole answer. */
export function grpcEnd(status: number, message: string, isTrailers: boolean): Field[] {
  const fields = isTrailers ? [] : [statusOk, grpcType];
  fields.push(makeField('grpc-status', String(status), true));
  // Percent-encoded as gRPC requires: everything but printable ASCII, and the percent sign.
  const encoded = message.replace(/[^ -$&-~]/g, (c) => encodeURIComponent(c));
  if (encoded !== '') fields.push(makeField('grpc-message', encoded, true));
  return fields;
}

/** Trailers only: the whole answer is one head. */
export function grpcAnswer(status: number, refusal: Refusal): Field[] {
  return [...grpcEnd(status, refusal.body.trim(), false), ...fieldsOf(refusal.headers)];
}
