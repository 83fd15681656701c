/** The connected proxies, and their subscriptions. */
import type { Clock } from '../../base/clock.js';
import type { Hello } from './api/messages.js';
import type { Catalogue, Change } from './catalogue.js';
import type { Propagation } from './propagation.js';
import { Session, type SessionParts, type SessionWire } from './session.js';
import { UpdateFrames } from './update-frames.js';

/**
 * A proxy that has not answered for longer than this is disconnected: it reconnects, and gets everything that it
 * lacks.
 */
export const answerTimeoutMs = 60_000;

export class Sessions {
  readonly #sessions = new Set<Session>();
  readonly #byTopic = new Map<string, Set<Session>>();
  readonly #byIdentity = new Map<string, number>();
  readonly #parts: SessionParts;
  stalled: () => boolean = () => false;
  acks = 0;
  nacks = 0;

  constructor(parts: { catalogue: Catalogue; propagation: Propagation; clock: Clock }) {
    this.#parts = { ...parts, frames: new UpdateFrames() };
    parts.catalogue.onChange = (change) => this.#publish(change);
    parts.catalogue.onReported = () => this.flush();
  }

  get size(): number {
    return this.#sessions.size;
  }

  all(): Iterable<Session> {
    return this.#sessions;
  }

  /** The identity's open sessions. */
  countOf(identity: string): number {
    return this.#byIdentity.get(identity) ?? 0;
  }

  open(identity: string, hello: Hello, wire: SessionWire): Session {
    const session = new Session(identity, hello, wire, this.#parts);
    // Until every source has reported, a proxy keeps its last good state.
    const { catalogue } = this.#parts;
    session.stalled = () => this.stalled() || catalogue.unreported.length > 0;
    this.#sessions.add(session);
    this.#byIdentity.set(identity, this.countOf(identity) + 1);
    for (const topic of session.topics) this.#join(topic, session);
    session.flush();
    return session;
  }

  /** The places of the proxies at these addresses have become known, or are others. */
  moved(addresses: ReadonlySet<string>): void {
    for (const session of this.#sessions) if (addresses.has(session.address ?? '')) session.moved();
  }

  acknowledge(session: Session, version: number, error: string): void {
    if (error === '') this.acks++;
    else this.nacks++;
    session.acknowledge(version, error);
  }

  close(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    const { identity } = session;
    const left = this.countOf(identity) - 1;
    if (left > 0) this.#byIdentity.set(identity, left);
    else this.#byIdentity.delete(identity);
    for (const topic of session.topics) this.#leave(topic, session);
    session.close();
  }

  /** Sends the pending objects of all sessions, after a stall has ended. */
  flush(): void {
    for (const session of this.#sessions) session.flush();
  }

  #publish(change: Change): void {
    const batch = this.#parts.propagation.begin(change.atMs);
    const concerned = new Set<Session>();
    for (const [key, topics] of change.topics) {
      const told = new Set<Session>();
      for (const topic of topics) {
        for (const session of this.#byTopic.get(topic) ?? []) {
          if (told.has(session)) continue;
          told.add(session);
          session.changed(key, batch);
        }
      }
      for (const session of told) concerned.add(session);
    }
    // One time for all, so that they can be sent the same bytes.
    const nowMs = this.#parts.clock.nowMs();
    for (const session of concerned) session.flush(nowMs);
  }

  #join(topic: string, session: Session): void {
    const sessions = this.#byTopic.get(topic);
    if (sessions) sessions.add(session);
    else this.#byTopic.set(topic, new Set([session]));
  }

  #leave(topic: string, session: Session): void {
    const sessions = this.#byTopic.get(topic);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byTopic.delete(topic);
  }
}
