/** The programs of docs/examples, each against a running pair: what they say of both sites is so. */

import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';

const FOLDER = 'docs/examples';
const DEADLINE_MS = 120_000;
/** What the examples share is none by itself. */
const EXAMPLES = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs') && name !== 'sites.mjs');

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
});
afterAll(() => pair.close());

function run(name: string): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.env['PATH'],
    PAIR: pair.name,
    EAST_URL: pair.east.server.url,
    WEST_URL: pair.west.server.url,
  };
  return new Promise((done) => {
    execFile(
      process.execPath,
      [`${FOLDER}/${name}`],
      { env, timeout: DEADLINE_MS },
      (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr }),
    );
  });
}

test('the page of the examples names each of them', () => {
  const page = readFileSync(`${FOLDER}/README.md`, 'utf8');
  const named = [...page.matchAll(/^\| \[([\w-]+)\]\(\1\.mjs\)/gm)].map(([, name]) => `${name}.mjs`);
  expect(named.toSorted()).toEqual(EXAMPLES.toSorted());
});

// Twice: a second run begins with what the first one has left.
test.each(EXAMPLES.flatMap((name) => [[name], [name]]))('what %s says is so', async (name) => {
  const { code, output } = await run(name);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output.match(/^(yes|NO ) /gm)?.length).toBeGreaterThan(1);
  expect(output).not.toMatch(/^NO /m);
});
