/** The page: one address for each view, and whatever is wrong said at its top. */
import { render } from 'preact';
import { Drill } from './drill.js';
import { connected, listen, tick, trouble } from './drill-state.js';
import { Trouble } from './trouble.js';

function Page() {
  return (
    <>
      <Trouble>
        {connected.value === false && 'The console does not answer: trying again.'}
        {trouble.value}
      </Trouble>
      <main>
        <Drill />
      </main>
    </>
  );
}

tick();
listen();
render(<Page />, document.getElementById('page') as HTMLElement);
