/** Escapes text for HTML and its attributes; control characters and marks of text direction become spaces. */
import { withoutUnseen } from '../unseen.js';

export function escapeHtml(text: string): string {
  return withoutUnseen(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
