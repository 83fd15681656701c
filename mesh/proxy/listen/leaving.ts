/** Closing connections whose last bytes are not yet with the kernel: a drain waits for them. */
import type { Wire } from './wire.js';

export class Leaving {
  readonly #wires = new Set<Wire>();

  /** Called before or after the wire's own goodbye; a wire that is closed, or has sent everything, is left out. */
  add(wire: Wire): void {
    if (wire.closed || wire.pendingBytes === 0) return;
    this.#wires.add(wire);
    const { onGone } = wire;
    wire.onGone = (failed) => {
      this.#wires.delete(wire);
      onGone(failed);
    };
  }

  get size(): number {
    let count = 0;
    for (const wire of this.#wires) if (wire.pendingBytes > 0) count++;
    return count;
  }
}
