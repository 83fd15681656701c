/** The objects that a proxy received, combined into one MeshState; an update is applied whole or not at all. */
import type { Destination, InboundServer, MeshState } from '../../model.js';
import type { Denial } from '../../identity/denials.js';
import { type Kind, kinds, type Resource, type Update } from '../api/messages.js';

export interface TrustBundle {
  /** PEM, one certificate each. */
  anchors: string[];
  /** Hex SHA-256 of the issuer's certificate. */
  issuer: string;
  renewSpreadMs: number;
  /** Absent from a controller of an earlier version. */
  denied?: Denial[];
}

interface Held extends Resource {
  value: unknown;
}

export class Resources {
  #held = new Map<string, Held>();
  #version = 0;
  /** Parts of an update whose last part has not come yet. */
  #parts: Update[] = [];

  get version(): number {
    return this.#version;
  }

  /** All objects without values, for a hello. */
  known(): Resource[] {
    return [...this.#held.values()].map(({ kind, name, version, json }) => ({
      kind,
      name,
      version,
      json,
    }));
  }

  bundle(): TrustBundle | undefined {
    for (const held of this.#held.values()) {
      if (held.kind === kinds.bundle) return held.value as TrustBundle;
    }
    return undefined;
  }

  /** Unchanged objects keep their identity, so that a reader can compare by identity. */
  state(): MeshState {
    const destinations: Destination[] = [];
    const servers: InboundServer[] = [];
    let unknownDestinations: MeshState['unknownDestinations'] = 'forward';
    for (const held of this.#held.values()) {
      if (held.kind === kinds.destination) destinations.push(held.value as Destination);
      else if (held.kind === kinds.servers) servers.push(...(held.value as InboundServer[]));
      else if (held.kind === kinds.settings) {
        ({ unknownDestinations } = held.value as Pick<MeshState, 'unknownDestinations'>);
      }
    }
    return { version: this.#version, destinations, servers, unknownDestinations };
  }

  /**
   * Takes an update, or holds it back until its last part comes (then returns false). `use` is called with the whole
   * new state; if it throws, the old state is restored and the error is thrown on.
   */
  take(update: Update, use: () => void): boolean {
    this.#parts.push(update);
    if (update.more) return false;
    const parts = this.#parts.splice(0);
    const before = this.#held;
    const versionBefore = this.#version;
    const next = new Map(parts[0]?.snapshot ? [] : before);
    try {
      for (const part of parts) {
        for (const r of part.removed) next.delete(keyOf(r));
        for (const r of part.resources) next.set(keyOf(r), held(r));
      }
      this.#held = next;
      // Each replica numbers its own versions; the version that a proxy uses only grows.
      this.#version = Math.max(versionBefore + 1, update.version);
      use();
    } catch (error) {
      this.#held = before;
      this.#version = versionBefore;
      throw error;
    }
    return true;
  }

  /** Called for a new stream: held-back parts will be sent again. */
  forgetParts(): void {
    this.#parts = [];
  }

  /** JSON for the disk. */
  save(): string {
    const resources = [...this.#held.values()].map((h) => [h.kind, h.name, h.version, h.value]);
    return JSON.stringify({ format: 1, version: this.#version, resources });
  }

  /** From `save`; throws on anything else. */
  load(text: string): void {
    const saved = JSON.parse(text) as {
      format: number;
      version: number;
      resources: [Kind, string, string, unknown][];
    };
    if (saved.format !== 1) throw new Error(`cache format ${saved.format}`);
    const next = new Map<string, Held>();
    for (const [kind, name, version, value] of saved.resources) {
      const resource = { kind, name, version, json: Buffer.alloc(0) };
      next.set(keyOf(resource), { ...resource, value });
    }
    this.#held = next;
    this.#version = saved.version;
  }
}

const keyOf = (r: Resource): string => `${r.kind}/${r.name}`;

/** Keeps the parsed value only, not the JSON's bytes; the cache is written from the value. */
function held(r: Resource): Held {
  const value = JSON.parse(r.json.toString('utf8')) as unknown;
  return { kind: r.kind, name: r.name, version: r.version, json: Buffer.alloc(0), value };
}
