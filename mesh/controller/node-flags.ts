/** How a controller is started. */

/**
 * Node's flags for a controller. Measured over 10,000 endpoints and 24 reloads of their file: 95 MB instead of 165,
 * no slower. The saving is in half-spaces of the young generation, which fill with the garbage of each reload.
 */
export const controllerNodeFlags: readonly string[] = [
  '--optimize-for-size',
  '--max-semi-space-size=1',
  // For heap-trim.ts: a list of 10,000 pods leaves 10 MB of garbage.
  '--expose-gc',
];

/**
 * Node gives each TLS connection a buffer of 64 kB and one of 16 kB, of which few pages are ever written. By its own
 * mapping such a buffer begins with untouched pages; from the heap of the C library, with pages that others have used:
 * 12 kB more for each proxy.
 */
export const controllerEnvironment: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: '16384',
  /**
   * The C library takes 16 kB from the system beside each demand, and not 128: what a burst of connections left at the
   * top of its heap goes back. Measured over a cluster of 10,000 pods, 1,000 proxies: 11 to 15 MB less.
   */
  MALLOC_TOP_PAD_: '16384',
};
