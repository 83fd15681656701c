/** The values of an installation, stored in the cluster beside it, so that an upgrade only changes the given values. */
import { stringify } from 'yaml';
import { parseYaml } from '../../../base/yaml.js';
import { labels } from '../annotations.js';
import type { KubeApi } from '../client/api.js';
import { type AnyObject, resources } from '../client/objects.js';
import { names } from './names.js';
import type { Values } from './values.js';

type Tree = Record<string, unknown>;

/** Adds the ConfigMap with the values; not for a revision, which shares an existing installation. */
export function withStoredValues(
  objects: AnyObject[],
  values: Values,
  revision: string,
): AnyObject[] {
  if (revision !== '') return objects;
  const metadata = {
    name: names.config,
    namespace: values.namespace,
    labels: {
      [labels.partOf]: 'firedrill',
      [labels.installation]: values.namespace,
      [labels.component]: 'values',
    },
  };
  // The image belongs to the version: an upgrade brings its own.
  const { image: _image, ...kept } = values;
  const data = { 'values.yaml': stringify(kept) };
  return [...objects, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }];
}

export async function storedValues(api: KubeApi): Promise<Tree | undefined> {
  const labelSelector = `${labels.component}=values`;
  const { items } = await api.list<AnyObject>(resources.ConfigMap, { labelSelector });
  const [found] = items;
  const text = (found?.data as Record<string, string> | undefined)?.['values.yaml'];
  if (text === undefined) return undefined;
  return parseYaml('values.yaml of the installation', text)[0]?.value as Tree;
}
