/** Reads and checks the user's file of prices for machines and telemetry. */
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { inputName } from '../../base/input.js';
import { checkYaml, readYaml } from '../../base/yaml.js';

const price = z.number({ error: 'expected a price, such as 28.5' }).gte(0);

const schema = z.strictObject({
  currency: z.string().default('USD'),
  cpuCoreMonth: price.describe('one core for a month'),
  memoryGbMonth: price.describe('a gigabyte of memory for a month'),
  seriesMonth: price.default(0).describe('one active series in Prometheus for a month'),
  spansMillion: price.default(0).describe('a million spans taken in'),
});

export type Prices = z.output<typeof schema>;

export function readPrices(file: string): Prices {
  const document = readYaml(file)[0];
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'prices' });
  return checkYaml(document, schema);
}
