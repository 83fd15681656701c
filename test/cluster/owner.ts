/** The file that names the process to which the machine's one node belongs. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Throws an error while the process that the file names runs; what an ended process left behind may be removed. */
export function claim(file: string): void {
  const owner = ownerIn(file);
  if (owner !== undefined)
    throw new Error(`process ${owner} runs a node (${file}): wait for its end, or end it`);
  rmSync(file, { force: true });
  // Of two processes that come here at once, one fails.
  writeFileSync(file, `${process.pid} ${startOf(process.pid)}`, { flag: 'wx' });
}

function ownerIn(file: string): string | undefined {
  try {
    const [id = '', start] = readFileSync(file, 'utf8').split(' ');
    return startOf(id) === start ? id : undefined;
  } catch {
    return undefined;
  }
}

/** A process's start tells it from a later one with the same id. */
function startOf(id: string | number): string | undefined {
  const text = readFileSync(`/proc/${id}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
