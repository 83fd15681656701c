/** Draws something, and says so where that fails: a thrown error would leave older figures on the screen as if new. */
import { Component, type ComponentChildren } from 'preact';
import { Trouble } from './trouble.js';

interface DrawnProps<T> {
  /** Drawing is tried again with another. */
  of: T;
  draw: (of: T) => ComponentChildren;
}

interface Failure {
  of: unknown;
  message: string;
}

export class Drawn<T> extends Component<DrawnProps<T>, { failure?: Failure }> {
  override componentDidCatch(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.setState({ failure: { of: this.props.of, message } });
  }

  override render({ of, draw }: DrawnProps<T>, { failure }: { failure?: Failure }) {
    if (failure?.of !== of) return <Attempt of={of} draw={draw} />;
    return <Trouble>Not drawn, which is a fault of Firedrill: {failure?.message}</Trouble>;
  }
}

function Attempt<T>({ of, draw }: DrawnProps<T>) {
  return <>{draw(of)}</>;
}
