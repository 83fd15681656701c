/** Go's number formatting and fmt.Sprintf, digit for digit: ties round to even, exponents have two digits. */

/** The exact decimal expansion of a finite number: digits without leading zeros, and the power of ten of the last. */
function exactDecimal(value: number): { digits: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const power = (biased === 0 ? 1 : biased) - 1075;
  if (power >= 0) return { digits: mantissa << BigInt(power), exponent: 0 };
  // m / 2^k is m * 5^k / 10^k.
  return { digits: mantissa * 5n ** BigInt(-power), exponent: power };
}

/** Divides by a power of ten, rounding ties to even. */
function roundedShift(digits: bigint, places: number): bigint {
  if (places <= 0) return digits * 10n ** BigInt(-places);
  const unit = 10n ** BigInt(places);
  const whole = digits / unit;
  const rest = (digits % unit) * 2n;
  if (rest > unit || (rest === unit && whole % 2n === 1n)) return whole + 1n;
  return whole;
}

function fixed(value: number, precision: number): string {
  const { digits, exponent } = exactDecimal(Math.abs(value));
  const scaled = roundedShift(digits, -exponent - precision).toString();
  if (precision === 0) return scaled;
  const padded = scaled.padStart(precision + 1, '0');
  return `${padded.slice(0, -precision)}.${padded.slice(-precision)}`;
}

/** The first `count` significant digits, and the exponent of the first digit. */
function significant(value: number, count: number): { digits: string; exponent: number } {
  if (value === 0) return { digits: '0'.repeat(count), exponent: 0 };
  const { digits, exponent } = exactDecimal(Math.abs(value));
  const length = digits.toString().length;
  let rounded = roundedShift(digits, length - count).toString();
  let first = length + exponent - 1;
  if (rounded.length > count) {
    rounded = rounded.slice(0, count);
    first++;
  }
  return { digits: rounded, exponent: first };
}

/** The fewest digits that read back as the same number. */
function shortest(value: number): { digits: string; exponent: number } {
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e') as [string, string];
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

function exponential(digits: string, exponent: number): string {
  const tail = digits.length > 1 ? `.${digits.slice(1)}` : '';
  const sign = exponent < 0 ? '-' : '+';
  return `${digits[0] as string}${tail}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function plain(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return digits.padEnd(exponent + 1, '0');
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** Go's strconv.FormatFloat; `precision` -1 is the fewest digits that read back the same. */
export function formatFloat(value: number, verb: 'e' | 'f' | 'g', precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Inf' : '+Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (verb === 'f') {
    if (precision >= 0) return sign + fixed(value, precision);
    const { digits, exponent } = shortest(value);
    return sign + plain(digits, exponent);
  }
  if (verb === 'e') {
    const { digits, exponent } =
      precision < 0 ? shortest(value) : significant(value, precision + 1);
    return sign + exponential(digits, exponent);
  }
  if (precision < 0) {
    const { digits, exponent } = shortest(value);
    // 1e+06, but 100000.
    if (exponent < -4 || exponent >= 6) {
      return sign + exponential(digits, exponent);
    }
    return sign + plain(digits, exponent);
  }
  const count = precision === 0 ? 1 : precision;
  const { digits, exponent } = significant(value, count);
  const trimmed = digits.replace(/0+$/, '') || '0';
  const limit = count > trimmed.length && trimmed.length >= exponent + 1 ? trimmed.length : count;
  if (exponent < -4 || exponent >= limit) return sign + exponential(trimmed, exponent);
  return sign + plain(trimmed, exponent);
}
