import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/config.js';
import { settingsSchema } from '../../../src/config/json-schema.js';
import { SETTINGS } from '../../../src/config/settings.js';

const folder = mkdtempSync(join(tmpdir(), 'tandem-schema-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Node {
  type?: string;
  properties?: Record<string, Node>;
  additionalProperties?: boolean;
  items?: Node;
  minItems?: number;
  minLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Node[];
  description?: string;
  default?: unknown;
}

const SCHEMA = settingsSchema() as Node;
/** What says nothing about a value. */
const SILENT = new Set(['description', 'default', '$schema', 'title']);

/** Whether a value is as a schema wants it, by the keywords that are used; another one is a mistake. */
function isValid(value: unknown, node: Node): boolean {
  const checks: Record<string, () => boolean> = {
    type: () => typeOf(value) === node.type || (node.type === 'number' && typeOf(value) === 'integer'),
    enum: () => node.enum!.includes(value),
    const: () => value === node.const,
    anyOf: () => node.anyOf!.some((one) => isValid(value, one)),
    pattern: () => typeof value !== 'string' || new RegExp(node.pattern!, 'u').test(value),
    minLength: () => typeof value !== 'string' || value.length >= node.minLength!,
    minimum: () => typeof value !== 'number' || value >= node.minimum!,
    maximum: () => typeof value !== 'number' || value <= node.maximum!,
    minItems: () => !Array.isArray(value) || value.length >= node.minItems!,
    items: () => !Array.isArray(value) || value.every((one) => isValid(one, node.items!)),
    properties: () =>
      typeOf(value) !== 'object' ||
      Object.entries(value as object).every(([name, one]) => {
        const below = node.properties![name];
        return below === undefined || isValid(one, below);
      }),
    additionalProperties: () =>
      typeOf(value) !== 'object' || Object.keys(value as object).every((name) => name in node.properties!),
  };
  return Object.keys(node)
    .filter((keyword) => !SILENT.has(keyword))
    .every((keyword) => checks[keyword]!());
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function nodeAt(path: string): Node | undefined {
  return path.split('.').reduce<Node | undefined>((node, name) => node?.properties?.[name], SCHEMA);
}

const ENOUGH = { pair: 'a', site: 'b', peer: 'c', localUrl: 'redis://h', peerUrl: 'redis://i' };

function isTaken(settings: object): boolean {
  const file = join(folder, 'settings.json');
  writeFileSync(file, JSON.stringify(settings));
  try {
    loadConfig({ file, env: {} });
    return true;
  } catch {
    return false;
  }
}

describe('the JSON schema of the file', () => {
  it('is the one in the documents', () => {
    const documented = JSON.parse(readFileSync('docs/reference/settings.schema.json', 'utf8')) as unknown;
    expect(
      documented,
      'npm run build && node dist/cli.js config --schema > docs/reference/settings.schema.json',
    ).toEqual(SCHEMA);
  });

  it('has every setting, with what it does and its default', () => {
    for (const { path, doc, default: value } of SETTINGS)
      expect(nodeAt(path), path).toMatchObject({
        description: doc,
        ...(value === null ? {} : { default: value }),
      });
    for (const { path, default: value } of SETTINGS.filter((one) => one.default !== null))
      expect(isValid(value, nodeAt(path)!), path).toBe(true);
  });

  it.each([
    {},
    { $schema: './settings.schema.json' },
    { flush: 'replicate' },
    { flush: 'never' },
    { batchBytes: 4096 },
    { batchBytes: '4KiB' },
    { batchBytes: '64 mb' },
    { batchBytes: '4 apples' },
    { batchBytes: 1 },
    { batchCommands: 0 },
    { batchCommands: 7 },
    { batchCommands: 7.5 },
    { batchCommands: 70_000 },
    { batchCommands: '7' },
    { publish: 'true' },
    { publish: false },
    { filters: { databases: 'all' } },
    { filters: { databases: [0, 3] } },
    { filters: { databases: [] } },
    { filters: { databases: [-1] } },
    { filters: { databases: 'some' } },
    { filters: { keysExclude: ['a*'] } },
    { filters: { keysExclude: [''] } },
    { filters: { keysExclude: 'a*' } },
    { filters: [] },
    { filters: { dance: 1 } },
    { tls: { caFile: null } },
    { tls: { caFile: '' } },
    { prefer: null },
    { prefer: 'b' },
    { site: 'east 1' },
    { localUrl: 'http://h' },
    { localUrl: 'sentinel://h:26379/name' },
    { leasems: 7 },
  ])('says of %j what the program says', (settings) => {
    const all = { ...ENOUGH, ...settings };
    expect(isValid(all, SCHEMA)).toBe(isTaken(all));
  });
});
