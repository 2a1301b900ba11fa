import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { TlsConfig } from '../config/config.js';

/** TLS options for sockets of any kind; the files were found readable when the configuration was loaded. */
export function tlsOptions(
  { caFile, certFile, keyFile, rejectUnauthorized }: TlsConfig,
  host: string,
): ConnectionOptions {
  return {
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized,
    ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === null ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
  };
}
