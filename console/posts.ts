/**
 * The requests of a page that change state: Stop and Acknowledge, if drills are allowed, and edits of the postmortem.
 */
import type { IncomingMessage } from 'node:http';
import { acknowledge } from '../chaos/gameday/acknowledgement.js';
import { throwSwitch } from '../chaos/runner/stop-switch.js';
import { leftIn, maxPostmortemBytes, savePostmortem } from './postmortem.js';

export interface Posted {
  status: number;
  /** JSON, or a reason as text. */
  body?: unknown;
}

export interface Allowed {
  folder: string;
  /** The folder of the kill switch; absent: viewers cannot stop drills. */
  stateFolder?: string;
  mayEdit?: boolean;
}

const refused = (status: number, body: string): Posted => ({ status, body });

/** The caller must have checked the session and the origin. */
export async function post(
  request: IncomingMessage,
  pathname: string,
  { folder, stateFolder, mayEdit }: Allowed,
): Promise<Posted> {
  if (!['/stop', '/acknowledge', '/lint', '/postmortem'].includes(pathname))
    return refused(404, 'no such call');
  if (request.headers.origin === undefined) return refused(403, 'only from the page itself');
  if (pathname === '/stop') {
    if (stateFolder === undefined) return refused(403, 'start it with --allow-drills');
    throwSwitch(stateFolder, { reason: 'stopped from the console', atMs: Date.now() });
    return { status: 204 };
  }
  if (pathname === '/acknowledge') {
    if (stateFolder === undefined) return refused(403, 'start it with --allow-drills');
    const { text: by = '' } = textsOf((await bodyOf(request)) ?? '');
    if (by.trim() === '') return refused(400, 'the role that acknowledges is missing');
    acknowledge(stateFolder, { atMs: Date.now(), by });
    return { status: 204 };
  }
  if (!mayEdit) return refused(403, 'start it with --allow-edits');
  const body = await bodyOf(request);
  if (body === undefined) return refused(413, 'a postmortem has at most a megabyte');
  const { text, was } = textsOf(body);
  if (text === undefined) return refused(400, 'not the text of a postmortem');
  if (pathname === '/lint') return { status: 200, body: leftIn(folder, text) };
  if (was === undefined) return refused(400, 'the hash of the edited text is missing');
  return savePostmortem(folder, text, was)
    ? { status: 204 }
    : refused(
        409,
        'somebody else has edited the file meanwhile: copy your text, and reload the page',
      );
}

/** Undefined when the body is longer than a postmortem may be, or ends early. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  // A character of JSON may take six bytes.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > 6 * maxPostmortemBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function textsOf(body: string): { text?: string; was?: string } {
  let said: unknown;
  try {
    said = JSON.parse(body);
  } catch {
    return {};
  }
  const { text, was } = (said ?? {}) as Record<string, unknown>;
  if (typeof text !== 'string' || Buffer.byteLength(text) > maxPostmortemBytes) return {};
  return { text, ...(typeof was === 'string' && { was }) };
}
