/** Numbers as Go prints them. */

/** A number as Go prints it with %g. */
export function goFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4 || exponent >= 21) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A number as OpenMetrics writes it in a label: `1.0`, `0.99`, `+Inf`. */
export function openMetricsFloat(value: number): string {
  const text = goFloat(value);
  return /[.eNI]/.test(text) ? text : `${text}.0`;
}
