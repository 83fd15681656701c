/** Regular expressions in Go's syntax (RE2), anchored at both ends as PromQL anchors them. */

/** Throws with a sentence where the pattern cannot be used. */
export function anchoredRegex(pattern: string): RegExp {
  const { flags, body } = translate(pattern);
  const source = `^(?:${body})$`;
  for (const set of [`${flags}u`, flags]) {
    try {
      return new RegExp(source, set);
    } catch {
      // Without `u`, JavaScript accepts escapes of characters that need none, as Go does.
    }
  }
  throw new Error(`error parsing regexp: \`${pattern}\` cannot be used`);
}

const classes: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** What Go writes otherwise: inline flags in front, named groups, character classes, \A, \z and \Q…\E. */
function translate(pattern: string): { flags: string; body: string } {
  let flags = 's';
  let body = pattern;
  const inline = /^\(\?([imsU]+)\)/.exec(body);
  if (inline) {
    body = body.slice(inline[0].length);
    if (inline[1]?.includes('i')) flags += 'i';
    if (inline[1]?.includes('m')) flags += 'm';
  }
  body = body
    .replace(/\\Q([^]*?)(?:\\E|$)/g, (_, text: string) =>
      text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
    )
    .replace(/\(\?P</g, '(?<')
    .replace(/\[:(\^?)(\w+):\]/g, (whole, _not: string, name: string) => classes[name] ?? whole)
    .replace(/(?<!\\)((?:\\\\)*)\\A/g, '$1^')
    .replace(/(?<!\\)((?:\\\\)*)\\z/g, '$1$')
    .replace(/\\x\{([0-9a-fA-F]+)\}/g, (_, hex: string) => `\\u{${hex}}`);
  return { flags, body };
}

/** The literals that a pattern is an alternation of (`a|b|c`), where it is nothing else. */
export function literalsOf(pattern: string): readonly string[] | undefined {
  return /^[\w\-/:, ~@%&=!#'"<>;]*(\|[\w\-/:, ~@%&=!#'"<>;]*)*$/.test(pattern)
    ? pattern.split('|')
    : undefined;
}

/** The same syntax, matching anywhere. */
export function anchorlessRegex(pattern: string): RegExp {
  const { flags, body } = translate(pattern);
  try {
    return new RegExp(body, flags);
  } catch {
    throw new Error(`error parsing regexp: \`${pattern}\` cannot be used`);
  }
}
