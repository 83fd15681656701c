/** The fields of a route that an HTTPRoute's annotation or a property of a profile's route sets. */
import { leavesOf } from '../../schema/fields.js';
import { routeFields } from '../../schema/route.js';
import { type FieldProblem, readDuration, type RouteDraft } from './route-parts.js';

/** `given` returns the value of a name, and `at` its place. */
export function setNamed(
  route: RouteDraft['route'],
  by: 'annotation' | 'profile',
  given: (name: string) => unknown,
  at: (name: string) => string,
  problems: FieldProblem[],
): void {
  for (const { path, field } of leavesOf(routeFields)) {
    const name = field[by];
    if (name === undefined) continue;
    const raw = given(name);
    const value =
      field.form.kind === 'duration'
        ? readDuration(raw as string | undefined, at(name), problems)
        : raw;
    if (value === undefined) continue;
    let into = route as Record<string, unknown>;
    for (const key of path.slice(0, -1)) {
      into = (into[key] = { ...(into[key] as object | undefined) }) as Record<string, unknown>;
    }
    into[path.at(-1) as string] = value;
  }
}
