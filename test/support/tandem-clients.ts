import { pino, type Logger } from 'pino';
import { afterEach } from 'vitest';
import { type ClientOptions, type Redis, openClient } from '../../src/redis/connect.js';

/** A log that nobody reads. */
export const SILENT: Logger = pino({ level: 'silent' });

/** The settings for TLS of a site that has none. */
export const NO_TLS = { caFile: null, certFile: null, keyFile: null, rejectUnauthorized: true };

type Opened = Pick<ClientOptions, 'url'> & Partial<ClientOptions>;

/** A client as a site opens it, that does not wait for long. The caller disconnects it. */
export function tandemClient(options: Opened): Redis {
  return openClient({
    tls: NO_TLS,
    name: 'tandem:test',
    log: SILENT,
    connectTimeoutMs: 1000,
    commandTimeoutMs: 1000,
    ...options,
  });
}

/** Opens such clients, each disconnected behind the test that it was opened in. */
export function useTandemClients(defaults: Partial<ClientOptions> = {}): (options: Opened) => Redis {
  const opened: Redis[] = [];
  afterEach(() => {
    for (const client of opened.splice(0)) client.disconnect();
  });
  return (options) => {
    const client = tandemClient({ ...defaults, ...options });
    opened.push(client);
    return client;
  };
}
