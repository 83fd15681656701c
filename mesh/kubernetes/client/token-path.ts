/**
 * Finds a token in the answer of a cloud's own command, for kubeconfigs with an `auth-provider`, which kubectl 1.26
 * dropped: in place of a package of 25 kB (bundle.ts). The name is that of the package's function.
 */

/** `path` is `$.credential.access_token`; returns undefined where it leads nowhere, and throws at any other syntax. */
export function JSONPath({ path, json }: { path: string; json: unknown }): unknown {
  if (!/^\$(\.[\w-]+)+$/.test(path)) {
    throw new Error(
      `the auth-provider's key {${path.slice(1)}} is not of the form {.credential.access_token}`,
    );
  }
  let value = json;
  for (const name of path.split('.').slice(1)) {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    value = isObject ? (value as Record<string, unknown>)[name] : undefined;
  }
  return value;
}
