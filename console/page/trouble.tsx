/** A line that says what is wrong; nothing at all where nothing is. */
import { type ComponentChildren, toChildArray } from 'preact';

export function Trouble({ children }: { children: ComponentChildren }) {
  const said = toChildArray(children).filter((child) => child !== '');
  return <div role="alert">{said.length > 0 && <p class="trouble">{said}</p>}</div>;
}
