/** Prints a tuning, and writes it back into the SLO's file. */
import { readFileSync } from 'node:fs';
import { isMap, isSeq, parseAllDocuments, type YAMLMap } from 'yaml';
import { formatDurationMs } from '../../../base/duration.js';
import { UserError } from '../../../base/errors.js';
import { writeFileWhole } from '../../../base/write-file.js';
import type { Slo } from '../../../slo/index.js';
import type { Candidate, Tuning } from './tune.js';
import { span } from './words.js';

export function candidateText(candidate: Candidate): string {
  const windows = candidate.windows
    .map((w) => `${w.factor}x over ${span(w.longMs)} and ${span(w.shortMs)}`)
    .join(', or ');
  return candidate.forMs === 0 ? windows : `${windows}, for ${span(candidate.forMs)}`;
}

export function tuningText(tuning: Tuning): string {
  const { current, recommended, front } = tuning;
  const line = (c: Candidate): string =>
    `${candidateText(c)}: found ${c.found} of ${c.expected} after a mean of ${span(c.meanDetectMs)} ` +
    `(at most ${span(c.maxDetectMs)}), ${c.wrong} false`;
  const lines = [
    `  tuning of ${tuning.slo}, ${tuning.candidates.length} candidates`,
    `    current:     ${line(current)}`,
    recommended === current
      ? '    recommended: the current one'
      : `    recommended: ${line(recommended)}`,
  ];
  const others = front.filter((c) => c !== recommended).slice(0, 5);
  if (others.length > 0) lines.push('    best in time or in false pages:');
  for (const candidate of others) lines.push(`      ${line(candidate)}`);
  return `${lines.join('\n')}\n`;
}

/**
 * Writes the recommended windows into the SLO's file and keeps comments and everything else. Only our own format has a
 * place for them.
 */
export function writeBack(slo: Slo, tuning: Tuning): string {
  const { place } = slo;
  const { recommended } = tuning;
  if (!place) throw new UserError(`${slo.id} has no file`);
  const text = readFileSync(place.file, 'utf8');
  const documents = parseAllDocuments(text);
  for (const document of Array.isArray(documents) ? documents : []) {
    const service: unknown = document.get('service');
    const slos: unknown = document.get('slos');
    const own = String(document.get('apiVersion')) === 'firedrill.dev/v1' && isSeq(slos);
    if (!own) continue;
    const found = slos.items.find(
      (item): item is YAMLMap =>
        isMap(item) && `${String(service)}-${String(item.get('name'))}` === slo.id,
    );
    if (!found) continue;
    const tickets = (slo.alerting.windows ?? []).filter((w) => w.severity === 'ticket');
    const kept = tickets.length > 0 ? tickets : standardTickets(tuning, slo);
    const windows = [...recommended.windows, ...kept].map((w) => ({
      severity: w.severity,
      factor: w.factor,
      long: formatDurationMs(w.longMs),
      short: formatDurationMs(w.shortMs),
    }));
    found.setIn(['alerting', 'windows'], document.createNode(windows));
    if (recommended.forMs > 0) {
      found.setIn(['alerting', 'page', 'for'], formatDurationMs(recommended.forMs));
    } else if (found.hasIn(['alerting', 'page', 'for'])) {
      found.deleteIn(['alerting', 'page', 'for']);
    }
    writeFileWhole(place.file, documents.map((d) => d.toString({ lineWidth: 0 })).join(''));
    return place.file;
  }
  throw new UserError({
    place,
    message: `${slo.id} cannot be written back`,
    expected: 'our own format (firedrill slo import writes it)',
  });
}

/** Custom windows replace the whole table, so the standard ticket windows are written as well. */
function standardTickets(tuning: Tuning, slo: Slo) {
  return slo.alerting.ticket === false ? [] : tuning.tickets;
}
