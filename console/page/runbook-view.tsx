/** An alert's runbook with the current results of its queries. The server escapes all external text. */
import { From } from './source.js';

export function Runbook({ query }: { query: URLSearchParams }) {
  return (
    <div class="page">
      <From<{ title: string; html: string; fires: boolean }>
        from={`runbook?${query.toString()}`}
        everyMs={15_000}
      >
        {({ html, fires }) => (
          <section class="document">
            <p class="soft">
              {fires ? 'It fires now.' : 'It does not fire now.'} The page asks its queries again
              every 15 s.
            </p>
            <div dangerouslySetInnerHTML={{ __html: html }} />
          </section>
        )}
      </From>
    </div>
  );
}
