/** Go's templates in labels and annotations; unit-tests.test.ts compares the same texts with promtool's. */
import { expect, test } from 'vitest';
import {
  AlertText,
  formatFloat,
  parseAlertTemplate,
  TemplateSample,
} from '../../slo/template/index.js';
import { sprintf } from '../../slo/template/printf.js';

const context = {
  labels: { instance: 'web-1.shop.example:9090', job: 'a' },
  value: 0.123456,
  externalLabels: { cluster: 'eu' },
  around: {
    timeMs: 60_000,
    externalUrl: 'http://x/prom',
    query: () => [new TemplateSample({ a: 'z' }, 1), new TemplateSample({ a: 'b' }, 93_784)],
  },
};

test.each([
  ['{{ $labels.instance }} {{ $value | humanizePercentage }}', 'web-1.shop.example:9090 12.35%'],
  ['{{ if gt $value 0.5 }}a{{ else if gt $value 0.1 }}b{{ else }}c{{ end }}', 'b'],
  [
    '{{ range query "up" | sortByLabel "a" }}{{ .Labels.a }}={{ .Value }} {{ end }}',
    'b=93784 z=1 ',
  ],
  ['{{ range $i, $s := query "up" }}{{ $i }}{{ label "a" $s }}{{ else }}-{{ end }}', '0z1b'],
  ['{{ with query "x" }}{{ . | first | value | humanizeDuration }}{{ end }}', '1s'],
  ['{{ $labels.nope }}|{{ .Labels }}', '|map[instance:web-1.shop.example:9090 job:a]'],
  ['{{- /* a comment */ -}} a {{- " b" }}', 'a b'],
  [
    '{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}',
    'web-1.shop.example web-1:9090',
  ],
  ['{{ humanize 1234567.0 }} {{ humanize1024 2048.0 }} {{ humanize 0.00012 }}', '1.235M 2ki 120u'],
  [
    '{{ humanizeDuration 93784.0 }} {{ humanizeTimestamp 1.5e9 }}',
    '1d 2h 3m 4s 2017-07-14 02:40:00 +0000 UTC',
  ],
  ['{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" $value }}', '[0.123456]'],
  ['{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}', '2'],
  ['{{ reReplaceAll "(.*)-(\\\\d).*" "$2-${1}" $labels.instance }}', '1-web'],
  [
    '{{ args 1 "b" }} {{ (toTime 1.5e9).Year }} {{ $externalLabels.cluster }} {{ externalURL }}',
    'map[arg0:1 arg1:b] 2017 eu http://x/prom',
  ],
  ['{{ range $i := 3 }}{{ $i }}{{ end }}{{ range 0 }}{{ else }}none{{ end }}', '012none'],
  ['{{ query "up" | first }} {{ query "up" | first | printf "%v" }}', '{map[a:z] 1} &{map[a:z] 1}'],
  [
    '{{ (toTime 1.5e9).YearDay }} {{ ("-30m" | parseDuration | toDuration | (now | toTime).Add).UnixMilli }}',
    '195 -1740000',
  ],
  [
    '{{ match "(?s)a.b" "a\\nb" }} {{ match "(?m)^b$" "a\\nb" }} {{ match "a.b" "a\\nb" }}',
    'true true false',
  ],
  ['{{ reReplaceAll "(?s)a.b" "x" "a\\nb" }} {{ reReplaceAll "(?i)(?i)A" "x" "ba" }}', 'x bx'],
  [
    '{{ title "web.shop:80 1h30m a-b foo_bar it\'s x..y 9a" }}',
    "Web.shop:80 1H30m A-B Foo_bar It's X..Y 9A",
  ],
  ['{{ stripDomain "fe80::1%eth0.1" }}', 'fe80::1%eth0.1'],
  ['{{ "\\u00e9\\x41" }}{{ \'é\' }}', 'éA233'],
  ['{{ if nil }}{{ end }}', '<error expanding template: nil is not a command>'],
  ['{{ range 1e9 }}{{ end }}', "<error expanding template: range can't iterate over 1e+09>"],
  [
    '{{ range 9999 }}{{ range 9999 }}{{ range 9999 }}{{ end }}{{ end }}{{ end }}',
    '<error expanding template: the loops take too many rounds>',
  ],
  [
    '{{ range 999999999999 }}{{ end }}',
    "<error expanding template: range can't iterate over 999999999999>",
  ],
])('%s', (text, expanded) => {
  expect(new AlertText(text).expand(context)).toBe(expanded);
});

test.each([
  ['{{ nope }}', 'function "nope" not defined', 3],
  ['a {{ if $value }}', 'unexpected EOF: {{end}} is missing', 5],
  ['{{ $y }}', 'undefined variable "$y"', 3],
  ['{{ end }}', 'unexpected {{end}}', 3],
  ['{{ "a', 'unterminated quoted string', 3],
  ['{{ break }}', '{{break}} outside {{range}}', 3],
  ["{{ 'ab' }}", "malformed character constant: 'ab'", 3],
  ['{{ "\\U99999999" }}', 'invalid syntax: no such character', 3],
])('%s is refused with its place', (text, message, offset) => {
  expect(() => parseAlertTemplate(text)).toThrow(
    expect.objectContaining({ message, offset }) as Error,
  );
});

test('an error at run time replaces the text, as in Prometheus', () => {
  // A float64 is not comparable with an int in Go.
  expect(new AlertText('{{ gt $value 1 }}').expand(context)).toBe(
    '<error expanding template: error calling gt: incompatible types for comparison>',
  );
});

test('a loop cannot fill the memory', () => {
  const text = '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}';
  expect(new AlertText(text).expand(context)).toContain('maximum template depth');
});

test('numbers are written as Go writes them', () => {
  expect(
    ['1e5', '1e6', '1234567', '0.0001', '0.00001', '1e21'].map((n) =>
      formatFloat(Number(n), 'g', -1),
    ),
  ).toEqual(['100000', '1e+06', '1.234567e+06', '0.0001', '1e-05', '1e+21']);
  expect([2.5, 0.5, 1.5, 0.125].map((n) => formatFloat(n, 'f', n === 0.125 ? 2 : 0))).toEqual([
    '2',
    '0',
    '2',
    '0.12',
  ]);
  expect(
    sprintf('%5d|%-5s|%05.1f|%q|%x|%e|%v|%%|%s', [42n, 'ab', 2.25, 'a"b', 255n, 1234.5, 1e6, 2n]),
  ).toBe('   42|ab   |002.2|"a\\"b"|ff|1.234500e+03|1e+06|%|%!s(int=2)');
  expect(sprintf('%d %d', [1n])).toBe('1 %!d(MISSING)');
  expect(sprintf('%.2f', [1n])).toBe('%!f(int=1)');
  expect(sprintf('a', [1n, 'x'])).toBe('a%!(EXTRA int=1, string=x)');
});
