/** The table of alerts that were proven to fire: the scenario, the detection time and the receiver of each. */
import { type AlertCoverage, coverageSummary, reasonOf } from '../../alerts/coverage/index.js';
import { timeText } from '../words.js';
import { type Html, markup } from '../../base/drawing/html.js';

export function coverageSection(alerts: readonly AlertCoverage[]): Html {
  const proven = alerts.filter((a) => a.proof);
  const rest = alerts.filter((a) => !a.proof);
  const head = markup`<thead><tr><th>Alert</th><th>Severity</th><th>Proven by</th><th class="number">After</th>
<th>Reached</th></tr></thead>`;
  return markup`<section class="card" id="coverage"><h2>Which alerts are proven to fire</h2>
<p>${coverageSummary(alerts)}.</p>
${
  proven.length > 0 &&
  markup`<div class="scroll"><table>${head}<tbody>${proven.map(provenRow)}</tbody></table></div>`
}
${
  rest.length > 0 &&
  markup`<details><summary>${rest.length} not proven</summary><div class="scroll"><table><tbody>
${rest.map(restRow)}</tbody></table></div></details>`
}
</section>`;
}

function provenRow({ alert, severity, proof }: AlertCoverage): Html {
  if (!proof) return markup``;
  return markup`<tr><th scope="row">${alert}</th><td>${severity}</td><td><a href="#${proof.scenario}">
${proof.scenario}</a>${proof.expected ? '' : ', which did not ask for it'}${
    proof.endedBy !== undefined && `, ended by ${proof.endedBy}.md`
  }</td>
<td class="number">${timeText(proof.afterMs)}</td><td>${proof.receiver ?? 'the receiver'}</td></tr>`;
}

const restRow = (coverage: AlertCoverage): Html =>
  markup`<tr><th scope="row">${coverage.alert}</th><td>${coverage.severity}</td><td>${reasonOf(coverage)}</td></tr>`;
