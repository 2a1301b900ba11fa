import { afterEach, expect, test, vi } from 'vitest';
import { main } from '../../../src/cli/program.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What is said of arguments that are refused. */
async function said(...args: string[]): Promise<string> {
  let text = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  expect(await main(['node', 'tandem', ...args])).toBe(2);
  return text;
}

test.each([
  ['run', '--lease-m', '--lease-ms'],
  ['status', '--local-ur', '--local-url'],
  ['repair', '--preffer', '--prefer'],
  ['verify', '--sampel', '--sample'],
])(
  'tandem %s %s: the option that was meant is named, also where help does not list it',
  async (command, given, meant) => {
    const text = await said(command, given, 'x');
    expect(text).toContain(`unknown option '${given}'`);
    expect(text).toMatch(new RegExp(`Did you mean (one of .*)?${meant}`));
  },
);
