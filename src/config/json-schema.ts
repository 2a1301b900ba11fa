/** The JSON schema of a file of settings, for editors and other checks: made of the settings themselves. */

import { NAME, UNITS } from './formats.js';
import { SETTINGS, type Setting } from './settings.js';

interface SchemaNode {
  readonly [keyword: string]: unknown;
}

/** By format, what a value may be. */
const OF_FORMAT: Readonly<Record<string, (setting: Setting) => SchemaNode>> = {
  name: () => ({ type: 'string', pattern: NAME.source }),
  'redis url': () => ({ type: 'string', pattern: '^(redis|rediss|sentinel|sentinels)://' }),
  text: () => ({ type: 'string', minLength: 1 }),
  cron: () => ({ type: 'string' }),
  file: () => ({ type: 'string', minLength: 1 }),
  'whole number': wholeNumber,
  bytes: (setting) => ({
    anyOf: [wholeNumber(setting), { type: 'string', pattern: `^\\d+\\s*(${unitNames()})?$` }],
  }),
  'true or false': () => ({ type: 'boolean' }),
  list: () => ({ type: 'array', items: { type: 'string', minLength: 1 } }),
  databases: () => ({
    anyOf: [
      { const: 'all' },
      { type: 'string', pattern: String.raw`^\d+(\s*,\s*\d+)*$` },
      { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 1 },
    ],
  }),
};

/** Nothing is required: what the file does not say may come from the environment or from flags. */
export function settingsSchema(): SchemaNode {
  const properties: Record<string, SchemaNode> = { $schema: { type: 'string' } };
  for (const setting of SETTINGS) place(properties, setting.path.split('.'), nodeOf(setting));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of Tandem',
    ...objectOf(properties),
  };
}

function objectOf(properties: SchemaNode): SchemaNode {
  return { type: 'object', properties, additionalProperties: false };
}

function place(
  properties: Record<string, SchemaNode>,
  [name = '', ...below]: string[],
  node: SchemaNode,
): void {
  if (below.length === 0) {
    properties[name] = node;
    return;
  }
  const group = (properties[name] ??= objectOf({}));
  place(group['properties'] as Record<string, SchemaNode>, below, node);
}

function nodeOf(setting: Setting): SchemaNode {
  const { format, doc, default: value, nullable } = setting;
  const node = typeof format === 'string' ? OF_FORMAT[format]!(setting) : { enum: format };
  return {
    description: doc,
    ...(value === null ? {} : { default: value }),
    ...(nullable ? { anyOf: [node, { type: 'null' }] } : node),
  };
}

function wholeNumber({ min = 0, max }: Setting): SchemaNode {
  return { type: 'integer', minimum: min, ...(max === undefined ? {} : { maximum: max }) };
}

/** Upper and lower case, as each letter. */
function unitNames(): string {
  return Object.keys(UNITS)
    .map((unit) =>
      unit
        .split('')
        .map((letter) => `[${letter}${letter.toUpperCase()}]`)
        .join(''),
    )
    .join('|');
}
