import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';

/** By file, the files it imports, types included. */
const IMPORTS = new Map(
  readdirSync('src', { recursive: true })
    .map((file) => join('src', String(file)))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const named = readFileSync(file, 'utf8').matchAll(/(?:from |import\()'(\.[^']+)\.js'/g);
      return [file, [...named].map(([, to = '']) => posix.join(posix.dirname(file), `${to}.ts`))] as const;
    }),
);

/** A way from a file back to it; undefined where there is none. */
function circleFrom(start: string): readonly string[] | undefined {
  const before = new Map<string, string>();
  const open = [start];
  for (let file = open.pop(); file !== undefined; file = open.pop())
    for (const next of IMPORTS.get(file) ?? []) {
      if (next === start) return [start, ...wayTo(file, before), start];
      if (before.has(next)) continue;
      before.set(next, file);
      open.push(next);
    }
  return undefined;
}

function wayTo(file: string, before: ReadonlyMap<string, string>): string[] {
  const way: string[] = [];
  for (let at: string | undefined = file; at !== undefined && before.has(at); at = before.get(at))
    way.unshift(at);
  return way;
}

test('no import goes in a circle', () => {
  expect(IMPORTS.size).toBeGreaterThan(200);
  const circles = [...IMPORTS.keys()].flatMap((file) => circleFrom(file)?.join(' → ') ?? []);
  expect(circles).toEqual([]);
});

/** Takes long to load, and is for those who do long work or write a log. */
const SLOW_PACKAGES = ['bullmq', 'cron-parser', 'pino', 'pino-pretty', '@msgpack/msgpack'];
/** Scripts call them: they start quickly. */
const QUICK_COMMANDS = ['config', 'health', 'lag', 'status', 'pause', 'conflicts'];

/** What is loaded at once with a file: its packages, and those of all the files that it imports, types aside. */
function packagesWith(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const named = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type)[^;]*?'([^']+)';/gm);
  return [...named].flatMap(([, name = '']) => {
    if (!name.startsWith('.')) return name.startsWith('node:') ? [] : [name];
    return packagesWith(posix.join(posix.dirname(file), name.replace(/\.js$/, '.ts')), seen);
  });
}

test.each(QUICK_COMMANDS)('tandem %s loads nothing that takes long', (command) => {
  const packages = ['src/cli/program.ts', `src/cli/${command}.ts`].flatMap((file) => packagesWith(file));
  expect(packages).toContain('commander');
  expect(packages.filter((name) => SLOW_PACKAGES.includes(name))).toEqual([]);
});
