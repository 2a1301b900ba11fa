import { SCHEMA } from './schema.js';

/** One setting and its three names. */
export interface Setting {
  /** `tls.caFile`: the place in the file. */
  readonly path: string;
  /** `TANDEM_TLS_CA_FILE` */
  readonly env: string;
  /** `tls-ca-file`, to be written with `--` before it. */
  readonly flag: string;
  readonly format: string | readonly string[];
  readonly default: unknown;
  readonly nullable: boolean;
  /** Of a number; undefined where it has no bound of its own. */
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly doc: string;
}

/** A value as one writes it in the environment or after a flag. */
export function valueText(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

interface SchemaNode {
  [key: string]: unknown;
}

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = settingsUnder(SCHEMA, []);

/**
 * The schema with the names of the environment variables filled in, as convict takes it.
 * @param optional settings of the first level that may stay away, whatever the schema says
 */
export function schemaWithEnvironment(optional: readonly string[] = []): object {
  const schema: SchemaNode = { ...SCHEMA };
  for (const name of optional) schema[name] = { ...(schema[name] as SchemaNode), nullable: true };
  return withEnvironment(schema, []);
}

function settingsUnder(node: SchemaNode, path: string[]): Setting[] {
  return Object.entries(node).flatMap(([name, child]) => {
    const here = [...path, name];
    if (!isSetting(child)) return settingsUnder(child as SchemaNode, here);
    return {
      path: here.join('.'),
      env: envName(here),
      flag: here.map(kebab).join('-'),
      format: child['format'] as string | string[],
      default: child['default'],
      nullable: child['nullable'] === true,
      min: child['min'] as number | undefined,
      max: child['max'] as number | undefined,
      doc: String(child['doc']),
    };
  });
}

function withEnvironment(node: SchemaNode, path: string[]): object {
  return Object.fromEntries(
    Object.entries(node).map(([name, child]) => {
      const here = [...path, name];
      return [
        name,
        isSetting(child) ? { ...child, env: envName(here) } : withEnvironment(child as SchemaNode, here),
      ];
    }),
  );
}

function isSetting(node: unknown): node is SchemaNode {
  return typeof node === 'object' && node !== null && 'doc' in node;
}

function envName(path: string[]): string {
  return `TANDEM_${path.map((name) => kebab(name).replaceAll('-', '_').toUpperCase()).join('_')}`;
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
