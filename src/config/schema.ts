import type convict from 'convict';

/** The settings of one process, as the rest of Tandem sees them: complete, checked and frozen. */
export interface Config {
  readonly pair: string;
  readonly site: string;
  readonly peer: string;
  readonly localUrl: string;
  readonly peerUrl: string;
  /** Null: the stream is read from `localUrl`. */
  readonly streamUrl: string | null;
  readonly tls: TlsConfig;
  readonly keyPrefix: string;
  readonly flush: 'ignore' | 'replicate';
  readonly publish: boolean;
  readonly publishChannels: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  readonly functions: boolean;
  readonly filters: FilterConfig;
  readonly streams: StreamConfig;
  readonly batchBytes: number;
  readonly batchCommands: number;
  readonly batchDelayMs: number;
  readonly compress: 'auto' | 'none' | 'deflate-raw' | 'brotli' | 'zstd';
  readonly wanBytesPerSecond: number;
  readonly inboxBytes: number;
  readonly changesBytes: number;
  readonly windowSeconds: number;
  readonly conflictsKept: number;
  readonly conflictValueBytes: number;
  /** The site whose values stay where both have one; null: nobody has said. */
  readonly prefer: string | null;
  readonly syncKeysPerSecond: number;
  readonly syncBytesPerSecond: number;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** Empty: no regular comparison. */
  readonly verifyCron: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly clockSkewWarnMs: number;
  readonly statusIntervalMs: number;
  readonly logLevel: LogLevel;
  readonly logPretty: 'auto' | 'always' | 'never';
  readonly logData: boolean;
  readonly httpPort: number;
  readonly httpHost: string;
  readonly httpData: boolean;
  readonly httpTokenFile: string | null;
}

/** Paths of PEM files, and whether a certificate that cannot be verified is refused. */
export interface TlsConfig {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly rejectUnauthorized: boolean;
}

export interface FilterConfig {
  readonly databases: 'all' | readonly number[];
  readonly keysInclude: readonly string[];
  readonly keysExclude: readonly string[];
  /** Lower case. */
  readonly commandsExclude: readonly string[];
}

/** How streams that both sites add to are kept. */
export interface StreamConfig {
  /** Glob patterns of those whose entries are added in the order of their arrival. */
  readonly arrival: readonly string[];
}

export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const MiB = 2 ** 20;
const DAY_MS = 86_400_000;

/**
 * Every setting with its default, its format and what it does. Environment variable, flag and the table of settings
 * in the documents are derived from this literal (`settings.ts`), so none of them can drift from it. A default of null means: must be set,
 * unless `nullable` says that it may stay away.
 */
export const SCHEMA: convict.Schema<Config> = {
  pair: { default: null, format: 'name', doc: 'Name of the pair, the same at both sites.' },
  site: { default: null, format: 'name', doc: 'Name of this site.' },
  peer: { default: null, format: 'name', doc: 'Name of the other site.' },
  localUrl: {
    default: null,
    format: 'redis url',
    sensitive: true,
    doc: "URL of this site's primary: `redis://user:password@host:6379`, or `rediss://` for TLS. Behind Sentinels: `sentinel://host:26379,host:26379/name`, or `sentinels://`.",
  },
  peerUrl: {
    default: null,
    format: 'redis url',
    sensitive: true,
    doc: "URL of the other site's primary, in the same forms. The account needs rights to Tandem's `in:` keys alone.",
  },
  streamUrl: {
    default: null,
    nullable: true,
    format: 'redis url',
    sensitive: true,
    doc: "URL of a replica of this site's primary to read the replication stream from, instead of the primary.",
  },
  tls: {
    caFile: {
      default: null,
      nullable: true,
      format: 'file',
      doc: 'PEM file of the authorities that `rediss://` and `sentinels://` servers are verified against.',
    },
    certFile: {
      default: null,
      nullable: true,
      format: 'file',
      doc: 'PEM file of the certificate shown to servers that ask for one.',
    },
    keyFile: {
      default: null,
      nullable: true,
      format: 'file',
      doc: 'PEM file of the key of that certificate.',
    },
    rejectUnauthorized: {
      default: true,
      format: 'true or false',
      doc: 'Whether a certificate that cannot be verified is refused.',
    },
  },
  keyPrefix: {
    default: 'tandem',
    format: 'name',
    doc: "What the names of Tandem's own keys start with. The same at both sites.",
  },

  flush: {
    default: 'ignore',
    format: ['ignore', 'replicate'],
    doc: '`FLUSHALL` and `FLUSHDB`: `ignore` leaves them local and warns; `replicate` deletes at the peer what the site had seen.',
  },
  publish: {
    default: true,
    format: 'true or false',
    doc: 'Whether messages (`PUBLISH`, `SPUBLISH`) reach the peer.',
  },
  publishChannels: {
    include: {
      default: ['*'],
      format: 'list',
      doc: 'Glob patterns of the channels whose messages reach the peer.',
    },
    exclude: { default: [], format: 'list', doc: 'Glob patterns of the channels whose messages stay local.' },
  },
  functions: {
    default: true,
    format: 'true or false',
    doc: 'Whether `FUNCTION LOAD`, `DELETE`, `FLUSH` and `RESTORE` reach the peer, and libraries are copied, compared and repaired.',
  },
  filters: {
    databases: {
      default: 'all',
      format: 'databases',
      doc: 'Databases that are replicated: `all`, or numbers such as `0,1,2`.',
    },
    keysInclude: { default: ['*'], format: 'list', doc: 'Glob patterns of the keys that are replicated.' },
    keysExclude: {
      default: [],
      format: 'list',
      doc: 'Glob patterns of the keys that are not: nothing of them leaves this site, whoever asks.',
    },
    commandsExclude: {
      default: [],
      format: 'list',
      doc: 'Commands that are not replicated, such as `publish,restore`.',
    },
  },

  streams: {
    arrival: {
      default: [],
      format: 'list',
      doc: 'Glob patterns of streams to which entries of the peer are added at the end, with an ID of this server. The same at both sites.',
    },
  },

  batchBytes: {
    default: 64 * 1024,
    format: 'bytes',
    min: 1024,
    max: 64 * MiB,
    doc: 'A batch ends at this size.',
  },
  batchCommands: {
    default: 512,
    format: 'whole number',
    min: 1,
    max: 65_536,
    doc: 'A batch ends at this number of commands.',
  },
  batchDelayMs: {
    default: 1,
    format: 'whole number',
    min: 0,
    max: 1000,
    doc: 'A batch ends this long after the one before it. A change by itself goes at once.',
  },
  compress: {
    default: 'auto',
    format: ['auto', 'none', 'deflate-raw', 'brotli', 'zstd'],
    doc: 'How batches are compressed: `auto` is `brotli` where the way to the peer takes 5 ms or longer, there and back, or `wanBytesPerSecond` is set, and `none` elsewhere. `zstd` needs Node.js 22.15 at both sites. A peer gets nothing that it has not said it can read.',
  },
  wanBytesPerSecond: {
    default: 0,
    format: 'bytes',
    min: 0,
    doc: "Bytes a second that this site sends to the peer's server at the most, those of TLS not counted. 0: no limit.",
  },
  inboxBytes: {
    default: 64 * MiB,
    format: 'bytes',
    min: MiB,
    doc: 'Bound of the delivered changes that wait at a site. Beyond it the sender is slowed.',
  },
  changesBytes: {
    default: 512 * MiB,
    format: 'bytes',
    min: MiB,
    doc: 'Bound of the changes kept for a peer that is away. Beyond it they are dropped and the peer must be compared with.',
  },
  windowSeconds: {
    default: 1,
    format: 'whole number',
    min: 1,
    max: 3600,
    doc: 'How long at least it stays in memory that a key was written here, though the peer has seen the write.',
  },
  conflictsKept: {
    default: 10_000,
    format: 'whole number',
    min: 1,
    max: 10_000_000,
    doc: 'Entries the list of conflicts keeps.',
  },
  conflictValueBytes: {
    default: 256,
    format: 'whole number',
    min: 0,
    max: 65_536,
    doc: 'Bytes of each of the two commands that an entry shows. 0: none, for data that must not be stored twice.',
  },
  prefer: {
    default: null,
    nullable: true,
    format: 'name',
    doc: 'Name of the site whose values stay when a first copy or a repair finds keys with different values, the same at both sites. Without it a first copy overwrites nothing.',
  },
  syncKeysPerSecond: {
    default: 50_000,
    format: 'whole number',
    min: 0,
    max: 10_000_000,
    doc: 'A first copy, a comparison or a repair goes through so many keys a second at the most. 0: no limit.',
  },
  syncBytesPerSecond: {
    default: 64 * MiB,
    format: 'bytes',
    min: 0,
    doc: 'And through so many bytes of values a second. 0: no limit.',
  },
  heartbeatMs: {
    default: 50,
    format: 'whole number',
    min: 5,
    max: 60_000,
    doc: 'What a site has applied is acknowledged after this time when it has no changes of its own to send.',
  },
  leaseMs: {
    default: 3000,
    format: 'whole number',
    min: 500,
    max: 600_000,
    doc: 'A second process for the site takes over this long after the first fell silent; at once if its connection is gone.',
  },
  verifyCron: {
    default: '',
    format: 'cron',
    doc: 'When the sites are compared regularly, as in a crontab: `0 3 * * *`, with seconds before it if there are six fields. In the time zone of the process. Empty: never.',
  },

  connectTimeoutMs: {
    default: 5000,
    format: 'whole number',
    min: 100,
    max: 600_000,
    doc: 'A connection must stand after this time.',
  },
  commandTimeoutMs: {
    default: 10_000,
    format: 'whole number',
    min: 100,
    max: 600_000,
    doc: 'A command must be answered after this time.',
  },
  backoffMinMs: {
    default: 50,
    format: 'whole number',
    min: 1,
    max: 60_000,
    doc: 'First pause before something that failed is tried again; doubles each time.',
  },
  backoffMaxMs: { default: 5000, format: 'whole number', min: 10, max: 600_000, doc: 'Longest such pause.' },
  clockSkewWarnMs: {
    default: 1000,
    format: 'whole number',
    min: 10,
    max: DAY_MS,
    doc: 'Clocks of the sites further apart than this cause a warning.',
  },

  statusIntervalMs: {
    default: 10_000,
    format: 'whole number',
    min: 1000,
    max: DAY_MS,
    doc: 'How often the log tells what moved.',
  },
  logLevel: { default: 'info', format: [...LOG_LEVELS], doc: 'Least level that is logged.' },
  logPretty: {
    default: 'auto',
    format: ['auto', 'always', 'never'],
    doc: 'Logs for people instead of JSON; `auto`: on a terminal, if the optional package `pino-pretty` is installed.',
  },
  logData: {
    default: false,
    format: 'true or false',
    doc: "Whether users' keys and values may stand in the log.",
  },
  httpPort: {
    default: 0,
    format: 'whole number',
    min: 0,
    max: 65_535,
    doc: 'Port for the status page, `/livez`, `/readyz`, `/metrics` and `/status`. 0: none.',
  },
  httpHost: { default: '127.0.0.1', format: 'text', doc: 'Address that port listens on.' },
  httpData: {
    default: false,
    format: 'true or false',
    doc: "Whether the status page may show users' keys and commands.",
  },
  httpTokenFile: {
    default: null,
    nullable: true,
    format: 'file',
    doc: 'File with the token that allows to pause, resume, retry and drop on the status page, at least 16 characters. Without it the page only shows.',
  },
};
