import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig, loadLocalConfig } from '../../../src/config/config.js';

const dir = mkdtempSync(join(tmpdir(), 'tandem-secrets-'));
afterAll(() => rmSync(dir, { recursive: true }));

const names = { TANDEM_PAIR: 'orders', TANDEM_SITE: 'east', TANDEM_PEER: 'west' };
const local = 'redis://:sesame@east.example:6379';
const peer = 'rediss://tandem:sesame@west.example:6380';

let files = 0;
function file(content: string): string {
  const path = join(dir, String(files++));
  writeFileSync(path, content);
  return path;
}

function problemsOf(env: Record<string, string>): string {
  try {
    loadConfig({ env });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the configuration was accepted');
}

describe('a URL in a file', () => {
  const both = { ...names, TANDEM_LOCAL_URL: local, TANDEM_PEER_URL: peer };

  it('counts as if it stood in the variable, without the white space around it', () => {
    const env = {
      ...names,
      TANDEM_LOCAL_URL_FILE: file(`${local}\n`),
      TANDEM_PEER_URL_FILE: file(` ${peer} `),
    };
    expect(loadConfig({ env })).toMatchObject({ localUrl: local, peerUrl: peer });
  });

  it('gives way to a flag, as the variable does', () => {
    const env = { ...names, TANDEM_LOCAL_URL: local, TANDEM_PEER_URL_FILE: file(peer) };
    const flags = new Map([['peerUrl', 'redis://other:6379']]);
    expect(loadConfig({ env, flags }).peerUrl).toBe('redis://other:6379');
  });

  it.each([
    ['a file that is not there', () => join(dir, 'none'), 'cannot be read (ENOENT)'],
    ['an empty one', () => file('\n'), 'is empty'],
  ])('is missing with %s', (_, made, problem) => {
    const given = { ...names, TANDEM_LOCAL_URL: local, TANDEM_PEER_URL_FILE: made() };
    expect(problemsOf(given)).toContain('TANDEM_PEER_URL_FILE: the file ');
    expect(problemsOf(given)).toContain(problem);
    // What works at this site alone need not be able to read the other one's secret.
    expect(loadLocalConfig({ env: given }).localUrl).toBe(local);
  });

  it('is not taken beside the variable, and one that is no URL is told by the name of the file', () => {
    expect(problemsOf({ ...both, TANDEM_PEER_URL_FILE: file(peer) })).toContain(
      'TANDEM_PEER_URL_FILE: TANDEM_PEER_URL is set as well',
    );
    const env = { ...names, TANDEM_LOCAL_URL: local, TANDEM_PEER_URL_FILE: file('sesame') };
    const problems = problemsOf(env);
    expect(problems).toContain('peerUrl (TANDEM_PEER_URL_FILE)');
    expect(problems).not.toContain('sesame');
  });

  it('is nothing that other settings have', () => {
    expect(problemsOf({ ...both, TANDEM_LEASE_MS_FILE: '/tmp/lease' })).toContain(
      'TANDEM_LEASE_MS_FILE: no such',
    );
  });
});
