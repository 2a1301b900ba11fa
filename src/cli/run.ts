import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.js';
import { ERROR_CODES, TandemError, describeError, errorLine } from '../errors.js';
import { createLogger } from '../log/log.js';
import type { Logger } from '../log/log.js';
import type { Redis } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { keepHeapSmall } from './heap.js';
import { startHttp, type HttpService } from '../observe/http.js';
import { Page } from '../observe/page/page.js';
import { startReport } from '../observe/report.js';
import { Site } from '../site/site.js';
import { keepStatus, tellingConnection } from '../site/telling.js';
import { VERSION } from '../version.js';
import { pageSource } from './page-source.js';

/** A process told to stop has this long; then it goes without finishing. It loses nothing: all state is in Redis. */
const STOP_LIMIT_MS = 4000;

/** After its work has ended the process has this long to find nothing left to do. */
const LINGER_LIMIT_MS = 400;

/** A shorter token could be guessed. */
const MIN_TOKEN = 16;

/** Runs a site until a signal stops it or a condition that a person must change ends it. Resolves with the exit code. */
export async function run(config: Config): Promise<number> {
  keepHeapSmall();
  const log = createLogger(config);
  const stop = new AbortController();
  const forgetSignals = stopOnSignals(stop, log);
  const forgetAccidents = endOnAccidents(log);
  try {
    log.info({ version: VERSION, peer: config.peer, pid: process.pid }, 'starting');
    await runSite({ config, log, stop });
    log.info('stopped');
    return 0;
  } catch (error) {
    return ended(error, log);
  } finally {
    stop.abort();
    forgetSignals();
    forgetAccidents();
    // A handle that something forgot to close must not keep a stopped process alive.
    setTimeout(() => process.exit(), LINGER_LIMIT_MS).unref();
  }
}

/** The site, and beside it what tells the world about it. */
async function runSite({
  config,
  log,
  stop,
}: {
  config: Config;
  log: Logger;
  stop: AbortController;
}): Promise<void> {
  const { signal } = stop;
  const site = new Site({ config, log });
  const status = (): ReturnType<Site['status']> => site.status();
  const telling = tellingConnection(config, log);
  const http = config.httpPort === 0 ? null : await startPage({ config, log, status, telling });
  const stopReport = startReport({ status, log, intervalMs: config.statusIntervalMs });
  const statusKey = keepStatus({ config, status, telling, signal }).catch((err: unknown) =>
    log.error({ err }, 'the status is no longer written'),
  );
  try {
    await site.run(signal);
  } finally {
    stop.abort();
    stopReport();
    await Promise.all([statusKey, http?.close()]);
  }
}

interface PageParts {
  readonly config: Config;
  readonly log: Logger;
  readonly status: Site['status'];
  readonly telling: Redis;
}

async function startPage({ config, log, status, telling: redis }: PageParts): Promise<HttpService> {
  const token = config.httpTokenFile === null ? undefined : readToken(config.httpTokenFile);
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const page = new Page({ source: pageSource({ config, keys, redis, status, log }), token, log });
  const { httpHost: host, httpPort: port } = config;
  return startHttp({ host, port, status, page, log });
}

/** @throws TandemError CONFIG_INVALID when the file holds no token */
function readToken(file: string): string {
  const token = readFileSync(file, 'utf8').trim();
  if (token.length >= MIN_TOKEN && !/\s/.test(token)) return token;
  throw new TandemError(
    'CONFIG_INVALID',
    `httpTokenFile: ${file} holds no token of at least ${MIN_TOKEN} characters`,
    {
      hint: 'for example: openssl rand -hex 24 > FILE',
    },
  );
}

/** One line that says it all for a condition a person must change; the whole error for anything else. */
function ended(error: unknown, log: Logger): number {
  const { code, hint } = describeError(error);
  if (error instanceof TandemError)
    log.fatal({ code, hint, exitCode: error.exitCode }, `ended: ${errorLine(error)}`);
  else log.fatal({ err: error }, 'ended by an error nobody expected');
  return error instanceof TandemError ? error.exitCode : ERROR_CODES.INTERNAL.exitCode;
}

/** The first SIGTERM or SIGINT asks, the second one, or the limit, ends the process at once. */
function stopOnSignals(stop: AbortController, log: Logger): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  let limit: NodeJS.Timeout | undefined;
  const leave = (): never => process.exit(0);
  const ask = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) return leave();
    log.info({ signal }, 'stopping');
    stop.abort();
    limit = setTimeout(() => {
      log.error({ limitMs: STOP_LIMIT_MS }, 'did not finish in time, leaving; nothing is lost');
      leave();
    }, STOP_LIMIT_MS);
  };
  for (const signal of signals) process.on(signal, ask);
  return () => {
    clearTimeout(limit);
    for (const signal of signals) process.off(signal, ask);
  };
}

/** Node would print what nobody caught with all its fields, among them the arguments of commands. */
function endOnAccidents(log: Logger): () => void {
  const end = (error: unknown): void => {
    log.fatal({ err: error }, 'ended by an error nobody expected');
    process.exit(ERROR_CODES.INTERNAL.exitCode);
  };
  process.on('uncaughtException', end);
  return () => process.off('uncaughtException', end);
}
