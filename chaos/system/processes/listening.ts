/** The listening addresses of processes, from the kernel; empty without /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const listen = '0A';
const maxNamed = 5;

/** `127.0.0.1:8080`, `[::1]:8080`: sorted, at most five. All processes are in the network of the first. */
export function listeningAt(pids: readonly number[]): string[] {
  const sockets = new Set(pids.flatMap(socketsOf));
  if (sockets.size === 0) return [];
  const found = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of linesOf(`/proc/${pids[0] as number}/net/${table}`)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === listen && sockets.has(inode)) found.add(addressOf(local));
    }
  }
  return [...found].sort().slice(0, maxNamed);
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return read(() => readdirSync(folder), []).flatMap((fd) => {
    // A descriptor that was closed meanwhile is skipped.
    const [, inode] =
      /^socket:\[(\d+)\]$/.exec(read(() => readlinkSync(`${folder}/${fd}`), '')) ?? [];
    return inode === undefined ? [] : [inode];
  });
}

const linesOf = (file: string): string[] =>
  read(() => readFileSync(file, 'utf8'), '')
    .split('\n')
    .slice(1);

function read<T>(from: () => T, absent: T): T {
  try {
    return from();
  } catch {
    return absent;
  }
}

/** `0100007F:1F90` is 127.0.0.1:8080: each four bytes in the machine's byte order, here little-endian. */
function addressOf(local: string): string {
  const [hex = '', port = ''] = local.split(':');
  const words = (hex.match(/.{8}/g) ?? []).map((w) => Buffer.from(w, 'hex').swap32());
  const number = Number.parseInt(port, 16);
  if (words.length === 1) return `${[...(words[0] as Buffer)].join('.')}:${number}`;
  const bytes = Buffer.concat(words);
  if (bytes.every((byte) => byte === 0)) return `[::]:${number}`;
  if (bytes.subarray(0, 15).every((byte) => byte === 0)) return `[::${bytes[15]}]:${number}`;
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return `[${groups.map((g) => Number.parseInt(g, 16).toString(16)).join(':')}]:${number}`;
}
