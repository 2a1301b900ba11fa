import { pino } from 'pino';
import type { DestinationStream, Logger, LoggerOptions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from './config.js';
import { describeError, withoutSecrets } from './errors.js';

export type { Logger } from 'pino';

/** What a logger needs to know of the configuration. */
export type LogConfig = Pick<Config, 'pair' | 'site' | 'logLevel' | 'logPretty' | 'logData'>;

/** Fields that may hold a user's data. Hidden unless `logData` is set; counts under the same names stay. */
const DATA_FIELDS = ['key', 'keys', 'value', 'values', 'args', 'field', 'member', 'channel'];

/** Fields that may hold a credential. Hidden always. */
const SECRET_FIELDS = ['password', 'localUrl', 'peerUrl', 'streamUrl', 'url'];

/**
 * The process's logger: JSON lines, or lines for people on a terminal. Messages are constant, data stands in fields;
 * an error belongs in the field `err`. Stages take a child: `log.child({ stage: 'capture' })`.
 * `destination` is standard output unless a test gives another.
 */
export function createLogger(config: LogConfig, destination?: DestinationStream): Logger {
  return pino(loggerOptions(config), outputOf(config, destination));
}

function loggerOptions({ pair, site, logLevel, logData }: LogConfig): LoggerOptions {
  const hidden = [...SECRET_FIELDS, ...(logData ? [] : DATA_FIELDS)];
  return {
    level: logLevel,
    base: { pair, site },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError, error: describeError },
    redact: {
      paths: hidden.flatMap((field) => [field, `*.${field}`]),
      censor: (value: unknown) => (typeof value === 'number' ? value : '[hidden]'),
    },
    // The net under the rules above: a URL with a password inside any other text.
    hooks: { streamWrite: withoutSecrets },
  };
}

/** Written at once, line by line, so that the last one before an exit is not lost. */
function outputOf({ logPretty }: LogConfig, destination?: DestinationStream): DestinationStream {
  const output = destination ?? pino.destination({ dest: 1, sync: true });
  const isForPeople =
    logPretty === 'always' || (logPretty === 'auto' && destination === undefined && process.stdout.isTTY);
  if (!isForPeople) return output;
  const pretty = prettyFactory({
    colorize: process.stdout.isTTY,
    ignore: 'pid,hostname,pair,site',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => output.write(pretty(line)) };
}
