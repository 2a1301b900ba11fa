import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tlsProblems } from '../../../src/config/tls-files.js';

const dir = mkdtempSync(join(tmpdir(), 'tandem-tls-'));
afterAll(() => rmSync(dir, { recursive: true }));

const at = (name: string): string => join(dir, name);

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

beforeAll(() => {
  for (const name of ['one', 'two']) {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    openssl('req', '-x509', ...kind, ...files, '-days', '2', '-subj', '/CN=localhost');
  }
  openssl('pkey', '-in', 'one.key', '-aes256', '-passout', 'pass:sesame', '-out', 'encrypted.key');
  openssl('ec', '-in', 'one.key', '-aes256', '-passout', 'pass:sesame', '-out', 'old.key');
  openssl('x509', '-in', 'one.crt', '-outform', 'DER', '-out', 'one.der');
  writeFileSync(at('garbage'), 'not a key\n');
  const [crt, key] = [readFileSync(at('one.crt'), 'utf8'), readFileSync(at('one.key'), 'utf8')];
  writeFileSync(at('cut.key'), key.replace(/\n.{20}/, '\n'));
  writeFileSync(at('cut.crt'), crt.replace(/\n.{20}/, '\n'));
  writeFileSync(at('both.crt'), crt + readFileSync(at('cut.crt'), 'utf8'));
});

function problems(files: { ca?: string; cert?: string; key?: string }): string[] {
  const path = (name: string | undefined): string | null => (name === undefined ? null : at(name));
  const { ca, cert, key } = files;
  return tlsProblems({
    caFile: path(ca),
    certFile: path(cert),
    keyFile: path(key),
    rejectUnauthorized: true,
  });
}

describe('the files of TLS', () => {
  it('pass when they fit', () => {
    expect(problems({ ca: 'one.crt', cert: 'one.crt', key: 'one.key' })).toEqual([]);
  });

  it.each([
    [{ ca: 'garbage' }, /^tls\.caFile: .* holds no certificate in PEM form/],
    [{ ca: 'one.der' }, /^tls\.caFile: .* holds no certificate in PEM form/],
    [{ ca: 'one.key' }, /^tls\.caFile: .* holds no certificate in PEM form/],
    [{ ca: 'both.crt' }, /^tls\.caFile: a certificate in .* is damaged/],
    [{ cert: 'garbage', key: 'one.key' }, /^tls\.certFile: .* holds no certificate/],
    [{ cert: 'cut.crt', key: 'one.key' }, /^tls\.certFile: a certificate in .* is damaged/],
    [{ cert: 'one.crt', key: 'garbage' }, /^tls\.keyFile: .* holds no private key in PEM form/],
    [{ cert: 'one.crt', key: 'one.crt' }, /^tls\.keyFile: .* holds no private key in PEM form/],
    [{ cert: 'one.crt', key: 'cut.key' }, /^tls\.keyFile: the private key in .* is damaged/],
    [{ cert: 'one.crt', key: 'encrypted.key' }, /^tls\.keyFile: the key in .* is encrypted/],
    [{ cert: 'one.crt', key: 'old.key' }, /^tls\.keyFile: the key in .* is encrypted/],
    [{ cert: 'one.crt', key: 'two.key' }, /^tls\.keyFile: the key in .* does not belong to the first/],
  ] as const)('%o are refused in one sentence', (files, sentence) => {
    expect(problems(files)).toEqual([expect.stringMatching(sentence)]);
  });
});
