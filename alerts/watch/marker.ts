/**
 * A template that carries the alerts of a notification with all their labels in an extra field of each protocol. The
 * notification's own text is made for people and lacks labels that a verdict needs.
 */
import { parseString } from '../../slo/promql/syntax/literals.js';

/** The name of the field. */
export const markerName = 'firedrill';

const pairs = (of: string): string =>
  `{{ range .${of}.SortedPairs }} {{ printf "%+q" .Name }} {{ printf "%+q" .Value }}{{ end }}`;

/** `firing 1700000000000000000 … "name" "value" … | "annotation" "text" ;` for each alert. */
export const markerTemplate =
  '{{ range .Alerts }}{{ .Status }} {{ .StartsAt.UnixNano }} {{ .EndsAt.UnixNano }}' +
  `${pairs('Labels')} |${pairs('Annotations')} ; {{ end }}`;

export interface MarkedAlert {
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAtMs: number;
  endsAtMs?: number;
}

const token = /"(?:[^"\\]|\\.)*"|firing|resolved|-?\d+|[|;]/g;
const alertsMax = 10_000;

/** The alerts in the field; undefined if the text is not from our template. */
export function readMarker(text: string): MarkedAlert[] | undefined {
  const words = text.match(token) ?? [];
  const alerts: MarkedAlert[] = [];
  for (let i = 0; i < words.length && alerts.length < alertsMax;) {
    const status = words[i++];
    if (status !== 'firing' && status !== 'resolved') return undefined;
    const [start, end] = [words[i++], words[i++]];
    const maps: [Record<string, string>, Record<string, string>] = [{}, {}];
    let map = 0;
    for (; i < words.length && words[i] !== ';';) {
      if (words[i] === '|') {
        map = 1;
        i++;
        continue;
      }
      const name = parseString(words[i++] ?? '');
      const value = parseString(words[i++] ?? '');
      if (name === undefined || value === undefined) return undefined;
      maps[map as 0 | 1][name] = value;
    }
    i++;
    alerts.push({
      status,
      labels: maps[0],
      annotations: maps[1],
      startsAtMs: Math.trunc(Number(start) / 1e6),
      ...(status === 'resolved' ? { endsAtMs: Math.trunc(Number(end) / 1e6) } : {}),
    });
  }
  return alerts;
}
