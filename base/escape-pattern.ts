/** The text as a regular expression that matches it alone, in JavaScript and in RE2. */
export const escapePattern = (text: string): string =>
  text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
