import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingsTable } from '../../src/config/markdown.js';
import { ERROR_CODES } from '../../src/errors.js';
import { keyNames } from '../../src/redis/keys.js';
import { CONFLICT_OUTCOMES } from '../../src/observe/conflict-outcome.js';
import { renderMetrics } from '../../src/observe/metrics.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { exampleStatus } from './observe/example-status.js';

const KEYS = keyNames({ prefix: 'tandem', pair: 'shop' });
/** What keys begin with, and no key itself. */
const NO_KEYS = new Set([KEYS.prefix, KEYS.peerPrefix, KEYS.jobsPrefix, KEYS.differencesPrefix]);
/** Stand in the table for all keys that begin so. */
const KEY_KINDS = [`${KEYS.jobsPrefix}*`, `${KEYS.differencesPrefix}*`];

/** Every Markdown file of the repository. */
const DOCUMENTS = ['.', 'docs', 'src', 'test', 'scripts'].flatMap((folder) =>
  readdirSync(folder, { recursive: folder !== '.' })
    .map((file) => join(folder, String(file)))
    .filter((file) => file.endsWith('.md')),
);

function page(name: string): string {
  return readFileSync(join('docs', name), 'utf8');
}

/** What stands on a page between `<!-- name -->` and `<!-- /name -->`. */
function section(text: string, name: string): string {
  return new RegExp(`<!-- ${name} -->\n\n([^]*?)\n\n<!-- /${name} -->`).exec(text)?.[1] ?? '';
}

function table(rows: readonly (readonly (string | number)[])[]): string {
  return rows
    .map((cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** How a row of the table begins for every message logged at info or above: level, and the message's constant part. */
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

describe('the reference', () => {
  it('has every setting, as the schema has it', () => {
    expect(section(page('reference/settings.md'), 'settings')).toBe(settingsTable());
  });

  it('has every error and its exit code', () => {
    const rows = Object.entries(ERROR_CODES).map(([code, { exitCode, passes, meaning }]) => [
      exitCode,
      `\`${code}\``,
      passes ? 'yes' : 'no',
      meaning,
    ]);
    expect(section(page('reference/commands.md'), 'exit codes')).toBe(
      table([['exit code', 'error', 'tried again', 'meaning'], ['---', '---', '---', '---'], ...rows]),
    );
  });

  it('has every metric', () => {
    const announced = renderMetrics(exampleStatus()).matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
    const rows = [...announced].map(([, name = '', help = '', type = '']) => [`\`${name}\``, type, help]);
    expect(section(page('reference/metrics.md'), 'metrics')).toBe(
      table([['metric', 'type', 'meaning'], ['---', '---', '---'], ...rows]),
    );
  });

  it('has every outcome of conflicts', () => {
    const outcomes = rowsOf(page('reference/conflict-list.md').split('## ')[1] ?? '').map(([name]) => name);
    expect(new Set(outcomes)).toEqual(new Set(CONFLICT_OUTCOMES.map((name) => `\`${name}\``)));
  });

  it('has every key, and no other', () => {
    const rows = page('reference/keys.md').matchAll(/^\| `(tandem:\{shop\}:[^`]+)` \|/gm);
    const named = [...rows].map(([, name]) => name);
    const keys = Object.values(KEYS).filter((name) => !NO_KEYS.has(name));
    expect(new Set(named)).toEqual(new Set([...keys, ...KEY_KINDS]));
  });

  it('has every key by which the sites learn of each other among the channels', () => {
    const channels = page('internals/batch.md')
      .split('\n## ')
      .find((part) => part.startsWith('Channels\n'))!;
    const names = Object.values(KEYS).filter(
      (name) => name.startsWith(KEYS.peerPrefix) && !NO_KEYS.has(name),
    );
    expect(names.length).toBeGreaterThan(3);
    const missing = names.filter((name) => !channels.includes(`\`${name.slice(KEYS.prefix.length)}\``));
    expect(missing).toEqual([]);
  });

  it('has the rules of both accounts', () => {
    const accounts = page('guide/accounts.md');
    expect(accounts).toContain(`ACL SETUSER tandem on '>password' ${localAclRule()}\n`);
    expect(accounts).toContain(`ACL SETUSER tandem-peer on '>password' ${peerAclRule(KEYS)}\n`);
  });

  it('has every message of the log, with its level', () => {
    const rows = logRows();
    const documented = page('reference/log-messages.md');
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !documented.includes(row))).toEqual([]);
  });

  it('has every field of the status', () => {
    const paths = Object.entries(exampleStatus()).flatMap(([name, value]) =>
      name === 'capture' || name === 'outbound' || name === 'inbound'
        ? Object.keys(value as object).map((field) => `${name}.${field}`)
        : [name],
    );
    const documented = page('reference/status.md');
    expect(paths.filter((path) => !spellings(path).some((name) => documented.includes(name)))).toEqual([]);
  });
});

/** The document without its blocks of code, in which `#` and `[…](…)` mean something else. */
function prose(document: string): string {
  return readFileSync(document, 'utf8').replace(/^ *```[^]*?^ *```/gm, '');
}

/** What a link may name behind `#`: headings as GitHub makes anchors of them. */
function anchors(document: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of prose(document).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    let name = slug;
    for (let again = 1; found.has(name); again++) name = `${slug}-${again}`;
    found.add(name);
  }
  return found;
}

/** The relative links of a document. */
function linksOf(document: string): string[] {
  return [...prose(document).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map(([, link = '']) => link);
}

/** Those that lead nowhere. */
function brokenLinks(document: string): string[] {
  return linksOf(document).filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path));
    if (!existsSync(target)) return true;
    return anchor !== undefined && !(target.endsWith('.md') && anchors(target).has(anchor));
  });
}

describe('every document', () => {
  it('is looked at', () => {
    expect(DOCUMENTS).toEqual(
      expect.arrayContaining(['README.md', 'docs/reference/settings.md', 'test/support/model/README.md']),
    );
  });

  it.each(DOCUMENTS)('names files that exist: %s', (document) => {
    const named = readFileSync(document, 'utf8').matchAll(/`((?:src|test|scripts|docs|deploy)\/[\w./-]+)`/g);
    expect([...named].map(([, path = '']) => path).filter((path) => !existsSync(path))).toEqual([]);
  });

  it.each(DOCUMENTS)('names scripts that exist: %s', (document) => {
    const scripts = new Set(
      readdirSync('src', { recursive: true }).map((file) => String(file).split('/').at(-1)),
    );
    const named = readFileSync(document, 'utf8').matchAll(/`([\w.-]+\.lua)`/g);
    expect([...named].map(([, name = '']) => name).filter((name) => !scripts.has(name))).toEqual([]);
  });

  it.each(DOCUMENTS)('links to pages and headings that exist: %s', (document) => {
    expect(brokenLinks(document)).toEqual([]);
  });
});

describe('the way in', () => {
  const words = (document: string): number => readFileSync(document, 'utf8').split(/\s+/).length;

  it('is a README of at most 200 lines', () => {
    expect(readFileSync('README.md', 'utf8').split('\n').length).toBeLessThanOrEqual(201);
  });

  it('is an ARCHITECTURE.md of at most 2,500 words', () => {
    expect(words('ARCHITECTURE.md')).toBeLessThanOrEqual(2500);
  });

  it('has a glossary of at most 40 rows, each term with one meaning', () => {
    const rows = rowsOf(page('internals/glossary.md'));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.length).toBeLessThanOrEqual(40);
    const terms = rows.flatMap(([names = '']) => names.split(', '));
    expect(new Set(terms).size).toBe(terms.length);
  });

  it('links to every page', () => {
    const linked = new Set(
      DOCUMENTS.flatMap((document) =>
        linksOf(document).map((link) => normalize(join(dirname(document), link.split('#')[0] ?? ''))),
      ),
    );
    expect(DOCUMENTS.filter((document) => document.startsWith('docs/') && !linked.has(document))).toEqual([]);
  });
});

it('pictures are small, and each is shown somewhere', () => {
  const pictures = readdirSync('docs/pictures').map((file) => `docs/pictures/${file}`);
  expect(pictures.length).toBeGreaterThan(3);
  const shown = DOCUMENTS.flatMap((document) =>
    linksOf(document).map((link) => normalize(join(dirname(document), link))),
  );
  expect(pictures.filter((file) => !shown.includes(file))).toEqual([]);
  expect(pictures.filter((file) => statSync(file).size > 120_000)).toEqual([]);
});

describe('the page on reading the log', () => {
  const lines = page('guide/reading-the-log.md')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: string; msg: string });

  it('shows lines that there are, each with its level', () => {
    const rows = logRows();
    expect(lines.length).toBeGreaterThan(40);
    const row = ({ level, msg }: { level: string; msg: string }): string => `| ${level} | \`${msg}`;
    const unknown = lines.filter((line) => !rows.some((known) => row(line).startsWith(known)));
    expect(unknown).toEqual([]);
  });
});

it('CONTRIBUTING.md names settings of tests that something reads', () => {
  const sources = ['test', 'scripts']
    .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file))))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('docs.test.ts'))
    .map((file) => readFileSync(file, 'utf8'));
  const named = readFileSync('CONTRIBUTING.md', 'utf8').match(/TANDEM_TEST_[A-Z_]+/g) ?? [];
  expect(named.length).toBeGreaterThan(3);
  const isRead = (name: string): boolean =>
    sources.some((source) =>
      new RegExp(`(process\\.env\\['|\\{[^}]*\\b)${name}\\b[^;]*process|process\\.env\\['${name}'`).test(
        source,
      ),
    );
  expect(named.filter((name) => !isRead(name))).toEqual([]);
});

/** Rows of the tables of a page, without their heads. */
function rowsOf(text: string): string[][] {
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
  const rows = rowsOf(page('internals/failures.md'));

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
  /^(src\/(protocol|redis-commands)\/(batch|batch-header|batch-index|messages\/state|messages\/state-request|messages\/message-kind|encode-command|stream-ends)\.ts |src\/redis\/reply-reader\.ts )|_(HEADER_BYTES|PORT|CARRY_BYTES)$| (ASTERISK|CR|DOLLAR|STAR|ZERO|NEWLINE|MARK_BYTES|NO_DATABASE|INITIAL_BYTES|PROBE_BYTES|SLOTS|LONGEST_TOKEN|TICKS_PER_MS|BEFORE_[A-Z]+|[A-Z]+_OPTIONS_FROM|REMOVAL_TIMESTAMP|DAY_MS|DEFAULT_DATABASES|ENTRY|SEQUENCE|LINK|EFFECT_BITS|JUMP|PROBES|BLOCK|NUMBERS|EQUAL|DIFFERENT|PLACE|OWN|PEER|PAST_MS|LASTS_MS|ENTRY_BYTES|NOT_COMPARED|\w+_WARN_BYTES|LIBRARIES_PLACE|OF_NO_TYPE|FOOTER_BYTES|POLYNOMIAL|DIGEST_DIGITS|DIGEST_BYTES|QUICK)$/;

describe('the table of bounds', () => {
  const named = rowsOf(page('internals/bounds.md')).flatMap((cells) =>
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
