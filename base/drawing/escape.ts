/** Text within HTML or an attribute of it: control characters and those that turn the direction of text are spaces. */
import { withoutUnseen } from '../unseen.js';

export function escapeHtml(text: string): string {
  return withoutUnseen(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
