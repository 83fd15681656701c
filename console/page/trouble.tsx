/** A line that names the problem; no element if there is none. */
import { type ComponentChildren, toChildArray } from 'preact';

export function Trouble({ children }: { children: ComponentChildren }) {
  const said = toChildArray(children).filter((child) => child !== '');
  return <div role="alert">{said.length > 0 && <p class="trouble">{said}</p>}</div>;
}
