/** URLs, which hold passwords, from files: Docker, Kubernetes and systemd hand secrets out as such. */

import { readFileSync } from 'node:fs';
import { SETTINGS, type Setting } from './settings.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The end of a variable's name where the value is in a file. */
const SUFFIX = '_FILE';
/** The format of settings that may hold a password. */
const SECRET = 'redis url';

export interface EnvironmentWithSecrets {
  /** With the values in place of the files' names. */
  readonly env: Environment;
  /** Path of a setting → the variable that names its file. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Reads the files that variables such as `TANDEM_LOCAL_URL_FILE` name. White space around the value is left out.
 * @param optional settings that may stay away: of them a file that cannot be read is no problem
 */
export function withSecretFiles(
  env: Environment,
  optional: readonly string[],
  problems: string[],
): EnvironmentWithSecrets {
  const found: Record<string, string | undefined> = { ...env };
  const origins = new Map<string, string>();
  for (const setting of SETTINGS.filter(({ format }) => format === SECRET)) {
    const variable = `${setting.env}${SUFFIX}`;
    const file = env[variable];
    delete found[variable];
    if (file === undefined || file === '') continue;
    const [value, problem] = read(setting, { file, isSetTwice: Boolean(env[setting.env]) });
    if (value !== undefined) {
      found[setting.env] = value;
      origins.set(setting.path, variable);
    } else if (!optional.includes(setting.path)) problems.push(`${variable}: ${problem}`);
  }
  return { env: found, origins };
}

function read(
  { env }: Setting,
  { file, isSetTwice }: { file: string; isSetTwice: boolean },
): [value: string | undefined, problem: string] {
  if (isSetTwice) return [undefined, `${env} is set as well: one of the two must go`];
  try {
    const value = readFileSync(file, 'utf8').trim();
    return value === '' ? [undefined, `the file ${file} is empty`] : [value, ''];
  } catch (error) {
    return [undefined, `the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`];
  }
}
