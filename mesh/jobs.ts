/** What scrape configurations call the mesh's parts: the label `job`, by which rules and dashboards know them. */
export const meshJobs = {
  controller: 'firedrill-controller',
  proxy: 'firedrill-proxy',
  injector: 'firedrill-injector',
} as const;
