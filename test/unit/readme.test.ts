import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingsTable } from '../../src/config/markdown.js';
import { ERROR_CODES } from '../../src/errors.js';
import { keyNames } from '../../src/redis/keys.js';
import { renderMetrics } from '../../src/service/metrics.js';
import { localAclRule, peerAclRule } from '../../src/service/preflight/rights.js';
import { exampleStatus } from './service/example-status.js';

const README = readFileSync('README.md', 'utf8');
const KEYS = keyNames({ prefix: 'tandem', pair: 'shop' });
/** What keys begin with, and no key itself. */
const NO_KEYS = new Set([KEYS.prefix, KEYS.peerPrefix, KEYS.jobsPrefix, KEYS.differencesPrefix]);
/** Stand in the table for all keys that begin so. */
const KEY_KINDS = [`${KEYS.jobsPrefix}*`, `${KEYS.differencesPrefix}*`];

/** What stands between `<!-- name -->` and `<!-- /name -->`. */
function section(name: string): string {
  return new RegExp(`<!-- ${name} -->\n\n([^]*?)\n\n<!-- /${name} -->`).exec(README)?.[1] ?? '';
}

function table(rows: readonly (readonly (string | number)[])[]): string {
  return rows
    .map((cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** How a row of the README begins for every message logged at info or above: level, and the message's constant part. */
function logRows(): string[] {
  return readdirSync('src', { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      callsOf(/\blog\.(?:info|warn|error|fatal)\(/gi, readFileSync(join('src', file), 'utf8')),
    )
    .map((call) => {
      const level = /\.(\w+)\(/.exec(call)?.[1];
      const message = /(['"`])((?:(?!\1).)+)\1,?\s*\)$/s.exec(call)?.[2] ?? call;
      return `| ${level} | \`${message.split('${')[0]}`;
    });
}

/** Each call whose beginning matches, up to its closing bracket. */
function callsOf(beginning: RegExp, source: string): string[] {
  return [...source.matchAll(beginning)].map((match) => {
    let at = match.index + match[0].length;
    for (let open = 1; open > 0 && at < source.length; at++) {
      if (source[at] === '(') open++;
      if (source[at] === ')') open--;
    }
    return source.slice(match.index, at);
  });
}

/** `outbound.lagMs` → `outbound.lagMs` and `….lagMs`: either may stand in the table. */
function spellings(path: string): string[] {
  return [path, path.replace(/^(?:outbound|inbound)\./, '….')].map((name) => `\`${name}\``);
}

describe('the README', () => {
  it('has every setting, as the schema has it', () => {
    expect(section('settings')).toBe(settingsTable());
  });

  it('has every error and its exit code', () => {
    const rows = Object.entries(ERROR_CODES).map(([code, { exitCode, passes, meaning }]) => [
      exitCode,
      `\`${code}\``,
      passes ? 'yes' : 'no',
      meaning,
    ]);
    expect(section('exit codes')).toBe(
      table([['exit code', 'error', 'tried again', 'meaning'], ['---', '---', '---', '---'], ...rows]),
    );
  });

  it('has every metric', () => {
    const announced = renderMetrics(exampleStatus()).matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
    const rows = [...announced].map(([, name = '', help = '', type = '']) => [`\`${name}\``, type, help]);
    expect(section('metrics')).toBe(table([['metric', 'type', 'meaning'], ['---', '---', '---'], ...rows]));
  });

  it('has every key, and no other', () => {
    const named = [...README.matchAll(/^\| `(tandem:\{shop\}:[^`]+)` \|/gm)].map(([, name]) => name);
    const keys = Object.values(KEYS).filter((name) => !NO_KEYS.has(name));
    expect(new Set(named)).toEqual(new Set([...keys, ...KEY_KINDS]));
  });

  it('has the rules of both accounts', () => {
    expect(README).toContain(`ACL SETUSER tandem on '>password' ${localAclRule()}\n`);
    expect(README).toContain(`ACL SETUSER tandem-peer on '>password' ${peerAclRule(KEYS)}\n`);
  });

  it('has every message of the log, with its level', () => {
    const rows = logRows();
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !README.includes(row))).toEqual([]);
  });

  it('has every field of the status', () => {
    const paths = Object.entries(exampleStatus()).flatMap(([name, value]) =>
      name === 'capture' || name === 'outbound' || name === 'inbound'
        ? Object.keys(value as object).map((field) => `${name}.${field}`)
        : [name],
    );
    expect(paths.filter((path) => !spellings(path).some((name) => README.includes(name)))).toEqual([]);
  });

  it.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'])(
    'and the other documents name files that exist: %s',
    (document) => {
      const named = readFileSync(document, 'utf8').matchAll(/`((?:src|test|scripts)\/[\w./-]+)`/g);
      expect([...named].map(([, path = '']) => path).filter((path) => !existsSync(path))).toEqual([]);
    },
  );
});

/** Rows of the tables of a section of ARCHITECTURE.md, without their heads. */
function rowsOf(heading: string): string[][] {
  const architecture = readFileSync('ARCHITECTURE.md', 'utf8');
  const text = new RegExp(`\\n## ${heading}\\n([^]*?)\\n## `).exec(architecture)?.[1] ?? '';
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  return lines
    .filter((line, at) => !line.startsWith('| ---') && !lines[at + 1]?.startsWith('| ---'))
    .map((line) => line.slice(2, -2).split(' | '));
}

/** The tests a cell names: a file, and in italics titles that stand in it as they are. */
function testsIn(cell: string): { file: string; title: string }[] {
  return [...cell.matchAll(/`(test\/[^`]+)`: (\*[^*]+\*(?:, \*[^*]+\*)*)/g)].flatMap(
    ([, file = '', titles = '']) =>
      [...titles.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => ({ file, title })),
  );
}

/** Whether a text is the whole of a string in a source. */
function isWritten(source: string, text: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${text}${quote}`));
}

describe('the tables of what happens when something dies', () => {
  const rows = rowsOf('If the process dies');

  it('have a test in each row', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((cells) => testsIn(cells.at(-1) ?? '').length === 0)).toEqual([]);
  });

  it('name tests that there are', () => {
    const named = rows.flatMap((cells) => testsIn(cells.at(-1) ?? ''));
    const unknown = named.filter(({ file, title }) => {
      return !existsSync(file) || !isWritten(readFileSync(file, 'utf8'), title);
    });
    expect(unknown).toEqual([]);
  });
});

/** Constants that are numbers and no limits: bytes of formats, parts of words, places. */
const NO_LIMITS =
  /^(src\/change\/(batch|batch-header|special|encode-command)\.ts |src\/redis\/reply-reader\.ts )|_(HEADER_BYTES|PORT|CARRY_BYTES)$| (ASTERISK|CR|DOLLAR|STAR|ZERO|NEWLINE|MARK_BYTES|NO_DATABASE|INITIAL_BYTES|PROBE_BYTES|SLOTS|LONGEST_TOKEN|TICKS_PER_MS|BEFORE_COMMANDS|REMOVAL_TIMESTAMP|DAY_MS|DEFAULT_DATABASES|ENTRY|SEQUENCE|LINK|EFFECT_BITS|JUMP|PROBES|BLOCK|NUMBERS|EQUAL|DIFFERENT|NOT_COMPARED|\w+_WARN_BYTES)$/;

describe('the table of bounds', () => {
  const named = rowsOf('Bounds').flatMap((cells) =>
    [
      ...cells
        .join(' | ')
        .matchAll(
          /`(src\/[\w./-]+)`: (`[A-Z_0-9]+`(?:, `[A-Z_0-9]+`)*)|`([A-Z_0-9]+)` in `(src\/[\w./-]+)`/g,
        ),
    ].flatMap(([, file, names, name, of]) =>
      name === undefined
        ? [...(names ?? '').matchAll(/`(\w+)`/g)].map(([, one]) => `${file} ${one}`)
        : [`${of} ${name}`],
    ),
  );
  const constants = readdirSync('src', { recursive: true })
    .map((file) => join('src', String(file)))
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/^(?:export )?const ([A-Z][A-Z_0-9]*) = [-0-9(]/gm)].map(
        ([, name]) => `${file} ${name}`,
      ),
    );

  it('names constants that there are', () => {
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((one) => !constants.includes(one))).toEqual([]);
  });

  it('has every limit of the sources', () => {
    expect(constants.filter((one) => !named.includes(one) && !NO_LIMITS.test(one))).toEqual([]);
  });
});
