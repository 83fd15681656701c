/** The proxy's own answers. */
import type { Refusal } from '../flow/contract.js';
import { fieldsOf } from './edits.js';
import { grpcEnd } from './grpc-end.js';
import type { Field } from './hpack/field.js';
import { makeField } from './hpack/intern.js';

const hasNoBody = ({ status }: Refusal): boolean => status === 204 || status === 304;

export const answerBody = (refusal: Refusal): Buffer =>
  Buffer.from(hasNoBody(refusal) ? '' : refusal.body, 'utf8');

/** The head of a plain-text answer with a body of `bytes` bytes. */
export function answerHead(refusal: Refusal, bytes: number): Field[] {
  const fields = [makeField(':status', String(refusal.status), true), ...fieldsOf(refusal.headers)];
  if (hasNoBody(refusal)) return fields;
  if (bytes > 0) fields.push(makeField('content-type', 'text/plain; charset=utf-8', true));
  fields.push(makeField('content-length', String(bytes), true));
  return fields;
}

/** Trailers only: the whole answer is one head. */
export function grpcAnswer(status: number, refusal: Refusal): Field[] {
  return [...grpcEnd(status, refusal.body.trim(), false), ...fieldsOf(refusal.headers)];
}
