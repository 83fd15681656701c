/**
 * The requests of a page that change state: a drill's start, Stop, Acknowledge and Hint, if drills are allowed, and
 * edits of the postmortem.
 */
import type { IncomingMessage } from 'node:http';
import { acknowledge } from '../chaos/gameday/acknowledgement.js';
import { askForHint } from '../chaos/gameday/hint-desk.js';
import { throwSwitch } from '../chaos/runner/stop-switch.js';
import type { Launch } from './launch.js';
import { leftIn, maxPostmortemBytes, savePostmortem } from './postmortem.js';

export interface Posted {
  status: number;
  /** JSON, or a reason as text. */
  body?: unknown;
}

export interface Drills {
  /** The folder of the kill switch. */
  stateFolder: string;
  launch: Launch;
}

export interface Allowed {
  folder: string;
  /** Absent: viewers cannot start, stop or answer drills. */
  drills?: Drills;
  mayEdit?: boolean;
}

const refused = (status: number, body: string): Posted => ({ status, body });

/** The caller must have checked the session and the origin. */
export async function post(
  request: IncomingMessage,
  pathname: string,
  allowed: Allowed,
): Promise<Posted> {
  const ofDrill = ofDrills.get(pathname);
  if (!ofDrill && !['/lint', '/postmortem'].includes(pathname)) return refused(404, 'no such call');
  if (request.headers.origin === undefined) return refused(403, 'only from the page itself');
  if (ofDrill) {
    if (!allowed.drills) return refused(403, 'start it with --allow-drills');
    return ofDrill(allowed.drills, (await bodyOf(request)) ?? '');
  }
  return edit(request, pathname, allowed);
}

/** Calls that need --allow-drills, with the body of their request. */
const ofDrills = new Map<string, (drills: Drills, body: string) => Promise<Posted> | Posted>([
  ['/run', run],
  [
    '/stop',
    ({ stateFolder }) => {
      throwSwitch(stateFolder, { reason: 'stopped from the console', atMs: Date.now() });
      return { status: 204 };
    },
  ],
  [
    '/acknowledge',
    ({ stateFolder }, body) => {
      const { text: by = '' } = textsOf(body);
      if (by.trim() === '') return refused(400, 'the role that acknowledges is missing');
      acknowledge(stateFolder, { atMs: Date.now(), by });
      return { status: 204 };
    },
  ],
  [
    '/hint',
    async ({ stateFolder }, body) => {
      const { text: by = '' } = textsOf(body);
      if (by.trim() === '') return refused(400, 'the role that asks is missing');
      const told = await askForHint(stateFolder, by);
      return told === undefined
        ? refused(409, 'no drill with a fault on answers')
        : { status: 200, body: { told } };
    },
  ],
]);

/** The body names scenarios and, where the guard wants it, the drill. */
async function run({ launch }: Drills, body: string): Promise<Posted> {
  const { scenarios, confirm } = objectOf(body) ?? {};
  const isList = Array.isArray(scenarios) && scenarios.every((id) => typeof id === 'string');
  if (!isList || scenarios.length === 0) return refused(400, 'no scenario was chosen');
  const asked = { scenarios, ...(typeof confirm === 'string' && { confirm }) };
  const why = await launch.start(asked);
  return why === undefined ? { status: 204 } : refused(409, why);
}

async function edit(
  request: IncomingMessage,
  pathname: string,
  { folder, mayEdit }: Allowed,
): Promise<Posted> {
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
  const { text, was } = objectOf(body) ?? {};
  if (typeof text !== 'string' || Buffer.byteLength(text) > maxPostmortemBytes) return {};
  return { text, ...(typeof was === 'string' && { was }) };
}

function objectOf(body: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(body) ?? undefined) as Record<string, unknown> | undefined;
  } catch {
    return undefined;
  }
}
