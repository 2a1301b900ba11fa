import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/config.js';
import { TandemError } from '../../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'tandem-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(text: string, ending: string): string {
  const path = join(folder, `${++files}${ending}`);
  writeFileSync(path, text);
  return path;
}

function problemOf(path: string): string {
  try {
    loadConfig({ file: path, env: {} });
    return '';
  } catch (error) {
    if (error instanceof TandemError) return error.message;
    throw error;
  }
}

const YAML = `
# yaml-language-server: $schema=./settings.schema.json
pair: orders
site: east
peer: west
localUrl: redis://:sesame@east
peerUrl: redis://west
batchBytes: 1MiB
batchCommands: 100
publish: false
filters:
  databases: [0, 1]
  keysExclude:
    - "tmp:*"
    - 'cache:*'
`;

describe('a file of settings', () => {
  it.each(['.yaml', '.yml', '.YAML'])('may be YAML if its name ends with %s', (ending) => {
    const config = loadConfig({ file: file(YAML, ending), env: {} });
    expect(config).toMatchObject({
      pair: 'orders',
      batchBytes: 2 ** 20,
      batchCommands: 100,
      publish: false,
      filters: { databases: [0, 1], keysExclude: ['tmp:*', 'cache:*'] },
    });
  });

  it('says the same in both formats', () => {
    const settings = {
      pair: 'orders',
      site: 'east',
      peer: 'west',
      localUrl: 'redis://a',
      peerUrl: 'redis://b',
    };
    const json = JSON.stringify({ $schema: './settings.schema.json', ...settings });
    expect(loadConfig({ file: file(json, '.json'), env: {} })).toEqual(
      loadConfig({ file: file(json, '.yaml'), env: {} }),
    );
  });

  it.each([
    ['pair: a\npair: b\n', 'is not valid YAML: see line 2, column 1'],
    ['pair: a\n  localUrl: "redis://:sesame@h\n', 'is not valid YAML: see line'],
    ['pair: *there\n', 'is not valid YAML'],
    ['- pair\n', 'must hold an object'],
    ['', 'must hold an object'],
    ['__proto__:\n  pair: a\n', '__proto__: no such setting'],
    ['publish: yes\n', 'publish: must not be a string'],
    ['leaseMs: "7000"\n', 'leaseMs: must not be a string'],
  ])('of YAML as %j is refused: %s', (text, problem) => {
    const message = problemOf(file(text, '.yaml'));
    expect(message).toContain(problem);
    expect(message).not.toContain('sesame');
  });

  it('cannot make much out of little', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 10 }, () => `*l${i}`).join(', ')}]`,
    );
    const message = problemOf(file(['l0: &l0 [x, x]', ...levels, ''].join('\n'), '.yaml'));
    expect(message).toContain('its aliases cannot be followed');
  });
});
