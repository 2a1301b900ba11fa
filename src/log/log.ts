import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import { pino } from 'pino';
import type { DestinationStream, Logger, LoggerOptions } from 'pino';
import type { prettyFactory } from 'pino-pretty';
import type { Config } from '../config/config.js';
import { describeError, TandemError, withoutSecrets } from '../errors.js';
import { LogOutput } from './log-output.js';
import { RecentWarnings, type Warning } from './recent-warnings.js';

export type { Logger } from 'pino';

/** The part of the configuration that a logger needs. */
export type LogConfig = Pick<Config, 'pair' | 'site' | 'logLevel' | 'logPretty' | 'logData'>;

/** For what only a log for people needs, and takes a tenth of a second to load. */
const require = createRequire(import.meta.url);

const standardOutput = 1;
const outputs = new WeakMap<Logger, LogOutput>();
const warnings = new WeakMap<Logger, RecentWarnings>();

/** Fields that may hold a user's data. Hidden unless `logData` is set; counts under the same names stay. */
const DATA_FIELDS = ['key', 'keys', 'value', 'values', 'args', 'field', 'member', 'channel'];

/** Fields that may hold a credential. Hidden always. */
const SECRET_FIELDS = ['password', 'localUrl', 'peerUrl', 'streamUrl', 'url'];

/**
 * The process's logger: JSON lines, or lines for people on a terminal. Messages are constant, data stands in fields;
 * an error belongs in the field `err`. Stages take a child: `log.child({ stage: 'capture' })`.
 * `destination` is standard output unless a test gives another. What cannot be written there is dropped, counted, and said once
 * when it can be written again: no line ends the work, or holds it up.
 * @throws TandemError CONFIG_INVALID when `logPretty` is `always` and pino-pretty is not installed
 */
export function createLogger(config: LogConfig, destination?: DestinationStream): Logger {
  if (destination) return pino(loggerOptions(config), prettied(config, destination, false));
  const output = new LogOutput(standardOutput, (lines) =>
    log.warn({ lines }, 'lines of the log could not be written, and are lost'),
  );
  const recent = new RecentWarnings();
  const written = prettied(config, output, true);
  const heard = {
    write: (line: string): void => {
      recent.note(line);
      written.write(line);
    },
  };
  const log: Logger = pino(loggerOptions(config), heard);
  outputs.set(log, output);
  warnings.set(log, recent);
  return log;
}

/** How many lines of a logger, of those that write to standard output, could not be written. */
export function linesLost(log: Logger): number {
  return outputs.get(log)?.dropped ?? 0;
}

/** The newest warnings and errors of a logger that writes to standard output, the newest first. */
export function warningsOf(log: Logger): Warning[] {
  return warnings.get(log)?.all ?? [];
}

/** A server's own word for an error is one already. */
function describeUnlessText(error: unknown): unknown {
  return typeof error === 'string' ? error : describeError(error);
}

function loggerOptions({ pair, site, logLevel, logData }: LogConfig): LoggerOptions {
  const hidden = [...SECRET_FIELDS, ...(logData ? [] : DATA_FIELDS)];
  return {
    level: logLevel,
    base: { pair, site },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError, error: describeUnlessText },
    redact: {
      paths: hidden.flatMap((field) => [field, `*.${field}`]),
      censor: (value: unknown) => (typeof value === 'number' ? value : '[hidden]'),
    },
    // The net under the rules above: a URL with a password inside any other text.
    hooks: { streamWrite: withoutSecrets },
  };
}

/** Undefined where it is left out: it is an optional dependency. */
function loadPretty(): { prettyFactory: typeof prettyFactory } | undefined {
  try {
    return require('pino-pretty') as { prettyFactory: typeof prettyFactory };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** @throws TandemError CONFIG_INVALID when lines for people are asked for, and cannot be made */
function prettied(
  { logPretty, logLevel }: LogConfig,
  output: DestinationStream,
  isStandardOutput: boolean,
): DestinationStream {
  const isForPeople =
    logPretty === 'always' || (logPretty === 'auto' && isStandardOutput && isatty(standardOutput));
  if (!isForPeople || logLevel === 'silent') return output;
  const module = loadPretty();
  if (module === undefined) {
    if (logPretty === 'auto') return output;
    throw new TandemError(
      'CONFIG_INVALID',
      'logPretty is always, and the package pino-pretty is not installed',
      {
        hint: 'npm install pino-pretty, or set logPretty to auto or never',
      },
    );
  }
  const pretty = module.prettyFactory({
    colorize: isatty(standardOutput),
    ignore: 'pid,hostname,pair,site',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => output.write(pretty(line)) };
}
