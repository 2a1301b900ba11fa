import convict from 'convict';
import { contradictions } from './contradictions.js';
import './formats.js';
import type { Config } from './schema.js';
import { withSecretFiles } from './secret-files.js';
import { readSettingsFile } from './settings-file.js';
import { SETTINGS, schemaWithEnvironment } from './settings.js';
import { tlsProblems } from './tls-files.js';
import { TandemError } from '../errors.js';

export type { Config, TlsConfig } from './schema.js';

export interface ConfigSources {
  /** Path of a file: JSON, or YAML if its name ends so. */
  file?: string;
  /** In the shape of the file and in its place: what a program gives that embeds a site. */
  settings?: Readonly<Record<string, unknown>>;
  /** The environment; variables that start with `TANDEM_` are settings. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Path of a setting (`tls.caFile`) → the text given on the command line. */
  flags?: ReadonlyMap<string, string>;
}

/** The configuration of a command that works at the local Redis alone. It needs no secret of the other site's. */
export type LocalConfig = Omit<Config, 'peerUrl'>;

/** Variables of the tests' own, not of the product. */
const FOREIGN_ENV_PREFIX = 'TANDEM_TEST_';

/**
 * What Kubernetes, and Docker's links, tell every container of a service whose name begins with `tandem`: `tandem-east` is
 * TANDEM_EAST. The form of the value counts too, so that a setting that is misspelt as one of these is still refused.
 */
const SERVICE_VARIABLES: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/_SERVICE_HOST$/, /^[\w.:-]+$/],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, /^\d+$/],
  [/_PORT(_\d+_(TCP|UDP|SCTP))?$/, /^(tcp|udp|sctp):\/\/\S+:\d+$/],
  [/_PORT_\d+_(TCP|UDP|SCTP)_PROTO$/, /^(tcp|udp|sctp)$/],
  [/_PORT_\d+_(TCP|UDP|SCTP)_PORT$/, /^\d+$/],
  [/_PORT_\d+_(TCP|UDP|SCTP)_ADDR$/, /^[\w.:-]+$/],
];

/** The source of a setting that was not given. */
const DEFAULT = 'default';
/** In its place for one that must be set. */
export const MISSING = 'missing';

/** Names the file instead of `--config`; no setting itself. */
const FILE_ENV = 'TANDEM_CONFIG';

type Instance = convict.Config<Config>;
type JsonObject = Record<string, unknown>;

/**
 * Reads the settings from file, environment and flags, in rising order, and hands out one frozen object.
 * Throws CONFIG_INVALID with everything that is wrong in one message, one line each; no line repeats a URL.
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  return usable(read(sources, [])) as Config;
}

/** The same without `peerUrl`, which need not be set then. */
export function loadLocalConfig(sources: ConfigSources = {}): LocalConfig {
  return usable(read(sources, ['peerUrl']));
}

/** A setting as it counts, and what gave it: a flag, a variable, the file or the default, or that it is missing. */
export interface EffectiveSetting {
  readonly path: string;
  /** Of a URL without its password; of one that is wrong, where the password may stand anywhere, nothing. */
  readonly value: unknown;
  readonly from: string;
}

export interface EffectiveSettings {
  readonly settings: readonly EffectiveSetting[];
  /** What keeps a command at this site's own Redis from using them, as {@link loadLocalConfig} throws it. */
  readonly error: TandemError | undefined;
}

/** All settings as they count, also where some are missing or wrong. @throws TandemError CONFIG_INVALID when the file cannot be used */
export function effectiveSettings(sources: ConfigSources = {}): EffectiveSettings {
  const { config, origins, wrong, problems } = read(sources, ['peerUrl']);
  const settings = SETTINGS.map(({ path, format, default: otherwise, nullable }) => {
    const value = valueAt(config, path);
    const isMissing = value === null && otherwise === null && !nullable;
    const isUrl = format === 'redis url' && typeof value === 'string';
    const shown = isUrl ? (wrong.has(path) ? '***' : withoutPassword(value)) : value;
    return { path, value: shown, from: isMissing ? MISSING : origins.get(path)! };
  });
  return { settings, error: problems.length > 0 ? invalid(problems, false) : undefined };
}

/** Settings as they were read, right or wrong. */
interface ReadSettings {
  readonly config: LocalConfig;
  readonly origins: ReadonlyMap<string, string>;
  /** Paths of those that are wrong, or missing. */
  readonly wrong: ReadonlySet<string>;
  /** One line each. */
  readonly problems: readonly string[];
  /** Whether a program has given them. */
  readonly isEmbedded: boolean;
}

/** @throws TandemError CONFIG_INVALID when there are problems */
function usable({ config, problems, isEmbedded }: ReadSettings): LocalConfig {
  if (problems.length > 0) throw invalid(problems, isEmbedded);
  return deepFreeze(normalized(config));
}

/**
 * @param optional settings that may stay away although they have no default
 * @throws TandemError CONFIG_INVALID when the file cannot be used
 */
function read(
  { file, settings, env: given = process.env, flags = new Map() }: ConfigSources,
  optional: readonly string[],
): ReadSettings {
  const problems: string[] = [];
  const secrets = withSecretFiles(given, optional, problems);
  const { env } = secrets;
  const path = file ?? env[FILE_ENV];
  const ofFile = (): JsonObject | undefined => (path === undefined ? {} : readFile(path, problems));
  const fromFile = settings === undefined ? ofFile() : knownPart(settings, [], 'startSite', problems);
  problems.push(...unknownVariables(env));
  // A setting of such a file would be called missing.
  const isEmbedded = settings !== undefined;
  if (fromFile === undefined) throw invalid(problems, isEmbedded);

  const instance = convict(schemaWithEnvironment(optional), {
    env: knownVariables(env),
    args: [],
  }) as unknown as Instance;
  const origins = originsOf(fromFile, env, flags);
  for (const [name, variable] of secrets.origins) if (!flags.has(name)) origins.set(name, variable);
  if (isEmbedded)
    for (const [name, from] of origins) origins.set(name, from === DEFAULT ? 'not given' : 'given');
  instance.load(fromFile);
  for (const [name, value] of flags) instance.set(name, value);
  const found = validated(instance, origins);
  problems.push(...found.values());
  const config = instance.getProperties();
  const wrong = new Set(found.keys());
  // Whoever puts one of them right is not to find the next one only then.
  problems.push(...contradictions(config, wrong), ...tlsProblems(readable(config.tls, wrong)));
  return { config, origins, wrong, problems, isEmbedded };
}

/** Without the files that are wrong already. */
function readable(tls: Config['tls'], wrong: ReadonlySet<string>): Config['tls'] {
  const file = (name: 'caFile' | 'certFile' | 'keyFile'): string | null =>
    wrong.has(`tls.${name}`) ? null : tls[name];
  return { ...tls, caFile: file('caFile'), certFile: file('certFile'), keyFile: file('keyFile') };
}

function invalid(problems: readonly string[], isEmbedded: boolean): TandemError {
  const lines = problems.map((problem) => `\n  - ${problem}`).join('');
  return new TandemError('CONFIG_INVALID', `The configuration cannot be used:${lines}`, {
    hint: isEmbedded
      ? 'docs/reference/settings.md lists the settings. An embedded site takes what it is given, and nothing else.'
      : 'Settings come from --config <file>, the environment and flags, later ones win. `tandem run --help-all` lists them.',
    details: { problems: problems.length },
  });
}

/** Names the schema of the file for an editor: `tandem config --schema` prints it. */
const SCHEMA_NAME = '$schema';

/**
 * The file's settings; what does not belong there is reported and left out, so that convict sees known shapes only. Nothing: the
 * file cannot be used at all.
 */
function readFile(path: string, problems: string[]): JsonObject | undefined {
  const { content, problem } = readSettingsFile(path);
  if (problem !== undefined) problems.push(`the file ${path} ${problem}`);
  else if (!isObject(content))
    problems.push(`the file ${path} must hold an object: names of settings and their values`);
  else {
    const { [SCHEMA_NAME]: _, ...settings } = content;
    return knownPart(settings, [], path, problems);
  }
  return undefined;
}

function knownPart(node: JsonObject, above: string[], file: string, problems: string[]): JsonObject {
  const known: JsonObject = Object.create(null) as JsonObject;
  for (const [name, value] of Object.entries(node)) {
    const path = [...above, name].join('.');
    const setting = SETTINGS.find((one) => one.path === path);
    const isGroup = SETTINGS.some((one) => one.path.startsWith(`${path}.`));
    if (setting === undefined && !isGroup)
      problems.push(
        `${path}: no such setting (${file})${suggestion(
          path,
          SETTINGS.map((one) => one.path),
        )}`,
      );
    else if (isGroup && !isObject(value)) problems.push(`${path}: must be an object (${file})`);
    else if (isGroup) known[name] = knownPart(value as JsonObject, [...above, name], file, problems);
    else if (isObject(value)) problems.push(`${path}: must not be an object (${file})`);
    else if (typeof value === 'string' && wantsNoText(setting!.format))
      problems.push(`${path}: must not be a string (${file})`);
    else known[name] = value;
  }
  return known;
}

/** In the environment everything is text; in a file a number in quotes is a mistake. */
function wantsNoText(format: unknown): boolean {
  return format === 'whole number' || format === 'true or false' || format === 'list';
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [FILE_ENV, ...SETTINGS.map((setting) => setting.env)];
  return Object.entries(env)
    .filter(([name]) => name.startsWith('TANDEM_') && !name.startsWith(FOREIGN_ENV_PREFIX))
    .filter(([name, value]) => !known.includes(name) && !isOfService(name, value))
    .map(([name]) => `${name}: no such environment variable${suggestion(name, known)}`);
}

function isOfService(name: string, value = ''): boolean {
  return SERVICE_VARIABLES.some(([names, values]) => names.test(name) && values.test(value));
}

/**
 * An empty variable counts as absent: that is how compose files and unit files leave one out. So does one of a service: for one called
 * `tandem-http` it has the name of a setting.
 */
function knownVariables(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== '' && !isOfService(name, value)),
  );
}

/** Where each setting's value comes from, for the messages. */
function originsOf(
  fromFile: JsonObject,
  env: Readonly<Record<string, string | undefined>>,
  flags: ReadonlyMap<string, string>,
): Map<string, string> {
  const origins = new Map<string, string>();
  for (const { path, env: variable, flag } of SETTINGS) {
    if (flags.has(path)) origins.set(path, `--${flag}`);
    else if (env[variable] && !isOfService(variable, env[variable])) origins.set(path, variable);
    else if (valueAt(fromFile, path) !== undefined) origins.set(path, 'in the file');
    else origins.set(path, DEFAULT);
  }
  return origins;
}

function valueAt(node: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((here, name) => (isObject(here) ? here[name] : undefined), node);
}

/** By path, one line for each setting that convict refuses. */
function validated(instance: Instance, origins: ReadonlyMap<string, string>): Map<string, string> {
  try {
    instance.validate({ allowed: 'strict' });
    return new Map();
  } catch (error) {
    const lines = (error as Error).message.split('\n');
    return new Map(
      lines.map((line) => {
        const separator = line.indexOf(': ');
        const path = line.slice(0, separator);
        const origin = origins.get(path);
        const setting = SETTINGS.find((one) => one.path === path);
        const where = origin === DEFAULT && setting ? `--${setting.flag} or ${setting.env}` : origin;
        return [path, `${path} (${where}): ${line.slice(separator + 2)}`];
      }),
    );
  }
}

function normalized(config: LocalConfig): LocalConfig {
  const { filters } = config;
  return {
    ...config,
    filters: { ...filters, commandsExclude: filters.commandsExclude.map((name) => name.toLowerCase()) },
  };
}

function withoutPassword(url: string): string {
  return url.replace(/^(\w+:\/\/)([^:]*):.*@/s, '$1$2:***@');
}

/** The one known name that differs only in case and punctuation, or by a slip of the fingers. */
function suggestion(name: string, known: string[]): string {
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const close =
    known.find((one) => bare(one) === bare(name)) ??
    known.find((one) => isOneSlipAway(bare(one), bare(name)));
  return close === undefined ? '' : `; did you mean ${close}?`;
}

/** Equal but for one letter changed, added, left out, or two neighbours swapped. */
function isOneSlipAway(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [restA, restB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const swapped = restA.length === 2 && restB.length === 2 && restA[0] === restB[1] && restA[1] === restB[0];
  return swapped || (restA.length <= 1 && restB.length <= 1);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value))
    if (typeof child === 'object' && child !== null) deepFreeze(child);
  return Object.freeze(value);
}
