/** The wire format of DNS (RFC 1035, RFC 6891) for a server that answers one question with one address. */

export const rcode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;

const typeA = 1;
const typeOpt = 41;
const typeAny = 255;
const classInternet = 1;
const headerBytes = 12;
const maxNameBytes = 255;
/** The size of an answer over UDP that every path carries. */
const udpBytes = 1232;

export interface Query {
  header: Buffer;
  /** The question as it came, for the answer; a client may compare its capitals. */
  question: Buffer;
  /** In small letters, without the last dot. */
  name: string;
  /** Whether an IPv4 address is asked for. */
  isForAddress: boolean;
  /** Why the query cannot be answered, as a response code. */
  problem?: number;
  /** Whether the client says that it knows extensions. */
  hasOptions: boolean;
}

export interface Reply {
  rcode: number;
  /** An IPv4 address. */
  address?: string;
  ttlSeconds?: number;
}

/** Undefined for what gets no answer: an answer, or less than a header. */
export function readQuery(message: Buffer): Query | undefined {
  if (message.length < headerBytes || (message.readUInt8(2) & 0x80) !== 0) return undefined;
  const header = message.subarray(0, headerBytes);
  const bare = { header, question: Buffer.alloc(0), name: '', isForAddress: false };
  const bad = (problem: number): Query => ({ ...bare, problem, hasOptions: false });
  if ((message.readUInt8(2) & 0x78) !== 0) return bad(rcode.notImplemented);
  const [questions, answers, authorities] = [4, 6, 8].map((at) => message.readUInt16BE(at));
  const read = readName(message, headerBytes);
  if (questions !== 1 || answers !== 0 || authorities !== 0 || !read) return bad(rcode.formatError);
  const end = read.end + 4;
  if (end > message.length) return bad(rcode.formatError);
  const type = message.readUInt16BE(read.end);
  return {
    header,
    question: message.subarray(headerBytes, end),
    name: read.name,
    isForAddress: type === typeA || type === typeAny,
    ...(message.readUInt16BE(read.end + 2) !== classInternet && { problem: rcode.refused }),
    hasOptions: hasOptions(message, end),
  };
}

/** Undefined for a name that is cut off, too long, or compressed, which a question never is. */
function readName(message: Buffer, start: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  for (let at = start; at < message.length && at - start < maxNameBytes;) {
    const length = message.readUInt8(at);
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: at + 1 };
    if (length > 63 || at + 1 + length > message.length) return undefined;
    // A dot within a label is no separator.
    const label = message.toString('latin1', at + 1, at + 1 + length).replaceAll('.', '\\.');
    labels.push(label);
    at += 1 + length;
  }
  return undefined;
}

/** The root's name, and a type: the record with which a client tells its extensions. */
const hasOptions = (message: Buffer, at: number): boolean =>
  message.readUInt16BE(10) > 0 &&
  at + 3 <= message.length &&
  message.readUInt8(at) === 0 &&
  message.readUInt16BE(at + 1) === typeOpt;

export function writeReply(query: Query, reply: Reply): Buffer {
  const { header, question, hasOptions: extended } = query;
  const { rcode: code, address, ttlSeconds = 0 } = reply;
  const start = Buffer.from(header);
  // An answer of the authority for the name, with the client's opcode and wish for recursion.
  start.writeUInt8((start.readUInt8(2) & 0x79) | 0x84, 2);
  start.writeUInt8(0x80 | code, 3);
  start.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  start.writeUInt16BE(address === undefined ? 0 : 1, 6);
  start.writeUInt16BE(0, 8);
  start.writeUInt16BE(extended ? 1 : 0, 10);
  const parts = [start, question];
  if (address !== undefined) {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc000 | headerBytes, 0); // The question's name.
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(classInternet, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    record.set(address.split('.').map(Number), 12);
    parts.push(record);
  }
  if (extended) {
    const options = Buffer.alloc(11);
    options.writeUInt16BE(typeOpt, 1);
    options.writeUInt16BE(udpBytes, 3);
    parts.push(options);
  }
  return Buffer.concat(parts);
}
