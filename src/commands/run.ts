import type { Config } from '../config.js';
import { ERROR_CODES, TandemError, describeError, errorLine } from '../errors.js';
import { createLogger } from '../log.js';
import type { Logger } from '../log.js';
import { connectClient, openClient } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { keepHeapSmall } from '../service/heap.js';
import { startHttp } from '../service/http.js';
import { startReport } from '../service/report.js';
import { keepStatusKey } from '../service/status-key.js';
import { Site } from '../site.js';
import { VERSION } from '../version.js';

/** A process told to stop has this long; then it goes without finishing. It loses nothing: all state is in Redis. */
const STOP_LIMIT_MS = 4000;

/** After its work has ended the process has this long to find nothing left to do. */
const LINGER_LIMIT_MS = 400;

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
  const http =
    config.httpPort === 0
      ? null
      : await startHttp({ host: config.httpHost, port: config.httpPort, status, log });
  const stopReport = startReport({ status, log, intervalMs: config.statusIntervalMs });
  const statusKey = keepStatus({ config, log, status, signal }).catch((err: unknown) =>
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

/** On a connection of its own, so that a status never waits behind data. */
async function keepStatus({
  config,
  log,
  status,
  signal,
}: {
  config: Config;
  log: Logger;
  status: Site['status'];
  signal: AbortSignal;
}): Promise<void> {
  const { localUrl, tls, site, pair, keyPrefix, connectTimeoutMs, commandTimeoutMs } = config;
  const redis = openClient({
    url: localUrl,
    tls,
    name: `tandem:${site}:status`,
    log,
    connectTimeoutMs,
    commandTimeoutMs,
  });
  await connectClient(redis, signal).catch(() => {});
  await keepStatusKey({ redis, key: keyNames({ prefix: keyPrefix, pair }).status, status, signal });
  redis.disconnect();
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
