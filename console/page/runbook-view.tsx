/** An alert's runbook with the current results of its queries. The server escapes all external text. */
import type { RunbookView } from '../on-call.js';
import { From } from './source.js';

export function Runbook({ query }: { query: URLSearchParams }) {
  return (
    <div class="page">
      <From<RunbookView> from={`runbook?${query.toString()}`} everyMs={15_000}>
        {({ html, fires, unanswered }) => (
          <section class="document">
            <p class="soft">
              {fires === undefined
                ? 'Whether this alert fires now is not known.'
                : fires
                  ? 'This alert fires now.'
                  : 'This alert does not fire now.'}{' '}
              The queries of the page are asked again every 15 s.
            </p>
            {unanswered !== undefined && (
              <p class="stale">The queries are without answers: {unanswered}</p>
            )}
            <div dangerouslySetInnerHTML={{ __html: html }} />
          </section>
        )}
      </From>
    </div>
  );
}
