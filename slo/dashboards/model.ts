/** A dashboard as a value: the one definition that Grafana's JSON, the preview and the test of every query share. */

export type Unit =
  'ratio' | 'percent' | 'per-second' | 'ms' | 's' | 'bytes' | 'cores' | 'count' | 'times';

export interface Panel {
  title: string;
  /** What it shows and what to do when it looks wrong. */
  description: string;
  kind: 'stat' | 'timeseries' | 'table';
  /** May use $service, $slo and $__rate_interval. */
  queries: { expr: string; legend?: string }[];
  unit: Unit;
  /** Columns of 24. */
  width: number;
  height: number;
  /** From these values on it is yellow, and red; the other way round where falling is bad. */
  thresholds?: { warn: number; bad: number; falling?: boolean };
  /** An axis by powers of ten. */
  log?: true;
  /** Values that are drawn with what happens there, instead of the thresholds'. */
  marks?: { at: number; text: string }[];
  runbook?: string;
  /** Not checked to return something: empty is the good case, such as firing alerts. */
  mayBeEmpty?: true;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  variables: { name: 'service' | 'slo'; query: string }[];
  panels: Panel[];
}

/** Values of the variables where nobody has chosen any: everything. */
export function fillVariables(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(service|slo)\b/g, '.*');
}
