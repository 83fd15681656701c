/** Changes of protocol by Upgrade. */

/**
 * The first protocol of the list that the route lets clients change to. HTTP/2 is never allowed: it would hide
 * requests from the flow's decisions.
 */
export function upgradeOf(list: string, allowed: readonly string[]): string | undefined {
  for (const part of list.split(',')) {
    const protocol = part.trim();
    const name = (protocol.split('/')[0] as string).toLowerCase();
    if (name !== 'h2c' && name !== 'http' && allowed.includes(name)) return protocol;
  }
  return undefined;
}
