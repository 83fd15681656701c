/**
 * Reads a configuration file, YAML or JSON, and gives the place of each mistake. Run as a program it prints the
 * configuration as JSON: the proxy reads YAML through this program, so that no YAML library stays in the proxy's
 * memory.
 */
import { dirname, resolve } from 'node:path';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { readYaml } from '../../base/yaml.js';
import { inputName } from '../../base/input.js';
import type { ProxyConfig } from '../model.js';
import { configProblems } from './config.js';
import { withDefaults } from './config-defaults.js';
import { absolutePaths } from './config-paths.js';

/** Throws a UserError with file:line:column of every problem. */
export function readConfigFile(file: string): ProxyConfig {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not a configuration`,
      expected: 'one YAML document',
    });
  }
  const found = configProblems(document.value);
  if (found.length > 0) {
    throw new UserError(
      found.map(({ path, message, expected, atKey }) => ({
        place: atKey ? document.placeOfKey(path) : document.placeOf(path),
        message: path.length > 0 && !atKey ? `${path.join('.')}: ${message}` : message,
        ...(expected && { expected }),
      })),
    );
  }
  return absolutePaths(withDefaults(document.value), dirname(resolve(file)));
}

if (process.argv[1] === program('mesh/proxy/config-file')) {
  try {
    process.stdout.write(JSON.stringify(readConfigFile(process.argv[2] ?? '')));
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = error instanceof UserError ? error.exitCode : exitCode.environment;
  }
}
