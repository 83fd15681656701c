/** Writes several files so that a failure leaves none incomplete: first beside the target, then renamed. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { behindLink, isDevice, systemReason } from '../../base/write-file.js';

/** Whether all rules go into one file named `out`, and not into a folder. */
export const isOneFile = (out: string): boolean =>
  out === '-' || /\.ya?ml$/.test(out) || isDevice(out);

/** `out` is a folder, or with `single` one file, or `-` for standard output. */
export function writeAll(out: string, single: boolean, files: ReadonlyMap<string, string>): void {
  if (out === '-') {
    process.stdout.write([...files.values()].join('---\n'));
    return;
  }
  const targets = [...files].map(([name, text]) => ({
    path: behindLink(single ? out : join(out, name)),
    text,
  }));
  const begun: string[] = [];
  try {
    if (isDevice(out)) return writeFileSync(out, [...files.values()].join('---\n'));
    for (const { path, text } of targets) {
      makeFolder(dirname(path));
      const beside = `${path}.${process.pid}.tmp`;
      begun.push(beside);
      writeFileSync(beside, text);
    }
    for (const { path } of targets) renameSync(`${path}.${process.pid}.tmp`, path);
  } catch (error) {
    for (const path of begun) rmSync(path, { force: true });
    const why = systemReason(error) ?? messageOf(error);
    throw new UserError(`cannot write ${out}: ${why}`, exitCode.environment);
  }
}
