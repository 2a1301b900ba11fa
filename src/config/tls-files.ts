/** Whether the files that the settings of TLS name can be used: OpenSSL's own words for it help nobody, and some it says to nobody. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsConfig } from './schema.js';

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** One line for each thing that is wrong. Files that cannot be read are found elsewhere. */
export function tlsProblems({ caFile, certFile, keyFile }: TlsConfig): string[] {
  const problems: string[] = [];
  const read = (setting: string, file: string): string | undefined => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      problems.push(`${setting}: ${file} cannot be read`);
      return undefined;
    }
  };
  if (caFile !== null)
    problems.push(...certificateProblems('tls.caFile', caFile, read('tls.caFile', caFile)));
  if (certFile === null || keyFile === null) return problems;
  const [cert, key] = [read('tls.certFile', certFile), read('tls.keyFile', keyFile)];
  const ofCert = certificateProblems('tls.certFile', certFile, cert);
  const ofKey = keyProblems(keyFile, key);
  problems.push(...ofCert, ...ofKey);
  if (cert === undefined || key === undefined || ofCert.length > 0 || ofKey.length > 0) return problems;
  return [...problems, ...pairProblems({ certFile, keyFile, cert, key })];
}

function certificateProblems(setting: string, file: string, text: string | undefined): string[] {
  if (text === undefined) return [];
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0)
    return [`${setting}: ${file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`];
  const isWrong = found.some((one) => !isCertificate(one));
  return isWrong ? [`${setting}: a certificate in ${file} is damaged`] : [];
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null;
  } catch {
    return false;
  }
}

function keyProblems(file: string, text: string | undefined): string[] {
  if (text === undefined) return [];
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text))
    return [`tls.keyFile: ${file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)`];
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    return [`tls.keyFile: the key in ${file} is encrypted; Tandem takes one without a passphrase`];
  try {
    createPrivateKey(text);
    return [];
  } catch {
    return [`tls.keyFile: the private key in ${file} is damaged, or of a kind that Node.js does not know`];
  }
}

function pairProblems(files: { certFile: string; keyFile: string; cert: string; key: string }): string[] {
  const { certFile, keyFile, cert, key } = files;
  const [first = ''] = cert.match(CERTIFICATE) ?? [];
  if (!new X509Certificate(first).checkPrivateKey(createPrivateKey(key)))
    return [`tls.keyFile: the key in ${keyFile} does not belong to the first certificate in ${certFile}`];
  try {
    createSecureContext({ cert, key });
    return [];
  } catch {
    return [`tls.certFile and tls.keyFile: OpenSSL does not take ${certFile} and ${keyFile}`];
  }
}
