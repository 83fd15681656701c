/** The options of the command line. */

export interface BacktestFlags {
  input?: string[];
  rules?: string[];
  slo?: string[];
  incidents?: string;
  prometheus?: string;
  from: string;
  to?: string;
  cache?: string;
  openmetrics?: string[];
  csv?: string[];
  remoteWrite?: string[];
  step: string;
  threads?: string;
  tune?: boolean;
  writeBack?: boolean;
  fail?: boolean;
  list?: boolean;
  html?: string;
  format: string;
  everyGroupEachStep?: boolean;
}
