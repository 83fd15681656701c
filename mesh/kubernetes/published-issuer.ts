/** Any issuer whose trust anchors are also in a ConfigMap, from which the injector and pods read them. */
import { messageOf } from '../../base/errors.js';
import type { Issuing, IssuerStore } from '../identity/issuing.js';
import type { KubeApi } from './client/api.js';
import { resources } from './client/objects.js';

export class PublishedIssuerStore implements IssuerStore {
  readonly #store: IssuerStore;
  readonly #api: Pick<KubeApi, 'patch'>;
  readonly #at: { namespace: string; configMap: string };

  constructor(
    store: IssuerStore,
    api: Pick<KubeApi, 'patch'>,
    at: { namespace: string; configMap: string },
  ) {
    this.#store = store;
    this.#api = api;
    this.#at = at;
  }

  get kind(): string {
    return this.#store.kind;
  }

  async start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing> {
    const first = await this.#store.start((issuing) => {
      onChange(issuing);
      this.#publish(issuing).catch((error: unknown) => onProblem(messageOf(error)));
    }, onProblem);
    await this.#publish(first);
    return first;
  }

  stop(): Promise<void> {
    return this.#store.stop();
  }

  async #publish({ anchors }: Issuing): Promise<void> {
    const data = { 'ca.crt': anchors.map((anchor) => anchor.toString()).join('') };
    const { namespace, configMap } = this.#at;
    await this.#api.patch(resources.ConfigMap, namespace, configMap, { data });
  }
}
