/** Values of the label `job` in scrape configurations, by which rules and dashboards select the mesh's parts. */
export const meshJobs = {
  controller: 'firedrill-controller',
  proxy: 'firedrill-proxy',
  injector: 'firedrill-injector',
} as const;
