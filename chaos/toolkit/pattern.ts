/** Regular expressions as Python reads them, which is the language of the Chaos Toolkit. */

/** Where Python's syntax means something else than JavaScript's, or nothing there; classes and escapes are kept. */
const different = /\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\(\?P<|\(\?P=\w+\)|\$/g;
const anywhere = '[\\s\\S]';

/** Throws a SyntaxError if it is not understood. */
export function pythonPattern(source: string): RegExp {
  const [leading = '', letters = ''] = /^\(\?([aimsu]+)\)/.exec(source) ?? [];
  const flags = [...new Set(letters)].filter((flag) => 'ims'.includes(flag)).join('');
  const own: Record<string, string> = {
    '(?P<': '(?<',
    '\\A': `(?<!${anywhere})`,
    '\\Z': `(?!${anywhere})`,
    // The end of the text, or before the line feed that ends it.
    $: flags.includes('m') ? '$' : `(?=\\n?(?!${anywhere}))`,
  };
  const text = source.slice(leading.length).replaceAll(different, (found) => {
    if (found.startsWith('(?P=')) return `\\k<${found.slice(4, -1)}>`;
    // In a class, Python reads a bracket in the first place as a character.
    if (found.startsWith('[')) return found.replace(/^(\[\^?)\]/, '$1\\]');
    return own[found] ?? found;
  });
  return new RegExp(text, flags);
}
