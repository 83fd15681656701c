/** Writes the folder of a report: for a day that has just run, or for a replayed one. */
import { dirname, join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { writeFileWhole } from '../../base/write-file.js';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { gameDayJunit } from '../../runbooks/report/junit.js';
import type { GameDayOutcome } from './gameday.js';

export interface ReportPaths {
  report: string;
  postmortem: string;
}

/** Writes the measurements first, so that a failure of the report does not lose them. */
export function writeReport(out: string, outcome: GameDayOutcome, junit?: string): ReportPaths {
  makeFolder(out);
  writeFileWhole(join(out, 'record.json'), `${JSON.stringify(outcome.record)}\n`);
  for (const [name, text] of gameDayFiles(outcome.record, outcome.shared)) {
    const path = join(out, name);
    makeFolder(dirname(path));
    writeFileWhole(path, text);
  }
  if (junit !== undefined) {
    makeFolder(dirname(junit));
    writeFileWhole(junit, gameDayJunit(outcome.record));
  }
  // Paths as the folder was given: absolute, or relative to the working folder.
  return { report: join(out, 'index.html'), postmortem: join(out, 'postmortem.md') };
}
