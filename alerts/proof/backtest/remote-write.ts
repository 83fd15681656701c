/** Reads captured request bodies of Prometheus remote write as history. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '../../../base/errors.js';
import {
  decodeSnappy,
  type WrittenSeries,
  writeRequestOf,
} from '../../../slo/promql/data/write-request.js';
import type { DataFiles } from './data-files.js';

const decodedMaxBytes = 256 * 1024 * 1024;

/** Reads one body, or a folder of bodies in the order of their names. */
export function readRemoteWrite(path: string, data: DataFiles): void {
  let files: string[];
  try {
    files = statSync(path).isDirectory()
      ? readdirSync(path)
          .sort()
          .map((name) => join(path, name))
      : [path];
  } catch {
    throw new UserError(`${path}: no such file`);
  }
  for (const file of files) {
    let series: WrittenSeries[];
    try {
      series = writeRequestOf(decodeSnappy(readFileSync(file), decodedMaxBytes));
    } catch (error) {
      throw new UserError({
        message: `${file}: ${messageOf(error)}`,
        expected: 'the body of a remote write request (snappy, protobuf)',
      });
    }
    for (const { labels, samples } of series) {
      for (const { timeMs, value, stale } of samples) {
        if (!stale) data.add(labels, timeMs, value, file);
      }
    }
  }
}
