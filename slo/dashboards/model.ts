/** A dashboard as a value, which Grafana's JSON, the preview and the tests of every query share. */

export type Unit =
  'ratio' | 'percent' | 'per-second' | 'ms' | 's' | 'bytes' | 'cores' | 'count' | 'times';

export interface Panel {
  title: string;
  /** The meaning of the panel, and the next step if it looks wrong. */
  description: string;
  kind: 'stat' | 'timeseries' | 'table';
  /** Queries may use $service, $slo and $__rate_interval. */
  queries: { expr: string; legend?: string }[];
  unit: Unit;
  /** Width in columns, of which there are 24. */
  width: number;
  height: number;
  /** The panel is yellow and red from these values on, or with `falling` below them. */
  thresholds?: { warn: number; bad: number; falling?: boolean };
  /** Whether the axis is logarithmic. */
  log?: true;
  /** Labelled values, drawn instead of the thresholds. */
  marks?: { at: number; text: string }[];
  runbook?: string;
  /** Not checked for data, because an empty panel is the good case, such as firing alerts. */
  mayBeEmpty?: true;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  variables: { name: 'service' | 'slo'; query: string }[];
  panels: Panel[];
}

/** Fills in the variables' default values, which select everything. */
export function fillVariables(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(service|slo)\b/g, '.*');
}
