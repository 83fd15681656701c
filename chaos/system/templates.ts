/** `${ports.http}` and the like in commands and environments: addresses that are known once ports are chosen. */

const pattern = /(\$?)\$\{([^{}]*)\}/g;

/** All names within `${...}`, in order; `$${x}` is an escape. */
export const templateNames = (text: string): string[] =>
  [...text.matchAll(pattern)].filter((m) => m[1] === '').map((m) => (m[2] as string).trim());

/** `$${x}` becomes `${x}`; a name without a value is not replaced, because a shell may know it. */
export function fillTemplate(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(pattern, (whole, escape: string, name: string) =>
    escape === '' ? (values.get(name.trim()) ?? whole) : whole.slice(1),
  );
}
