/**
 * Distinguishes lines by six colours and six dashes, which make thirty-six combinations. The colours of a scheme
 * differ by at least 30 (CIELAB, ΔE 1976) to readers with normal sight and to those without red, green or blue cones
 * (Machado, Oliveira and Fernandes 2009, severity 1), and by 3:1 from the card behind them (WCAG 2.2, 1.4.11):
 * test/base/drawing.test.ts computes both.
 */
export const lightLines = ['#298ddd', '#e25370', '#524600', '#4521ce', '#ae8119', '#880075'];
export const darkLines = ['#5bcfff', '#ffab99', '#297f03', '#a758ff', '#b1cf23', '#c83085'];
export const dashes = ['none', '7 3', '2 2.5', '9 3 2 3', '4 2', '12 3 2 3 2 3'];

const kinds = lightLines.length;

/** The classes for the colour and the dash of line `i`. */
export const lineClass = (i: number): string => {
  const own = Math.abs(Math.trunc(i));
  return `c${own % kinds} d${(own + Math.floor(own / kinds)) % dashes.length}`;
};

const variables = (colours: readonly string[]): string =>
  colours.map((colour, i) => `--c${i}:${colour}`).join(';');

/** CSS variables for `:root` in the light and in the dark scheme. */
export const lineColours = { light: variables(lightLines), dark: variables(darkLines) };

/** The style for any picture with lines of these classes. */
export const lineStyle =
  '.line{fill:none;stroke-width:1.8;stroke-linejoin:round}' +
  lightLines.map((_, i) => `.line.c${i}{stroke:var(--c${i})}`).join('') +
  dashes.map((dash, i) => `.line.d${i}{stroke-dasharray:${dash}}`).join('');
