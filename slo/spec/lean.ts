/** The fields without those that are empty. */
export function lean(fields: Record<string, unknown>): Record<string, unknown> {
  const says = (v: unknown): boolean =>
    v !== undefined && !(typeof v === 'object' && v !== null && Object.keys(v).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => says(v)));
}
