/**
 * The settings of an embedded site, in the shape of the configuration file. docs/reference/settings.md says what each does, and its
 * default. They are written out here, and not derived, because they are a promise to programs: test/unit/library/ compares.
 */

/** Bytes: a number, or a text such as `128MiB`. */
export type Bytes = number | string;

export interface SiteSettings {
  /** Name of the pair, the same at both sites. */
  readonly pair: string;
  /** Name of this site. */
  readonly site: string;
  /** Name of the other site. */
  readonly peer: string;
  /** URL of this site's primary: `redis://`, `rediss://`, `sentinel://` or `sentinels://`. */
  readonly localUrl: string;
  /** URL of the other site's primary. */
  readonly peerUrl: string;
  readonly streamUrl?: string | null | undefined;
  readonly tls?: SiteTlsSettings | undefined;
  readonly keyPrefix?: string | undefined;
  readonly flush?: 'ignore' | 'replicate' | undefined;
  readonly publish?: boolean | undefined;
  readonly publishChannels?: SiteChannelSettings | undefined;
  readonly functions?: boolean | undefined;
  readonly filters?: SiteFilterSettings | undefined;
  readonly streams?: SiteStreamSettings | undefined;
  readonly batchBytes?: Bytes | undefined;
  readonly batchCommands?: number | undefined;
  readonly batchDelayMs?: number | undefined;
  readonly compress?: 'auto' | 'none' | 'deflate-raw' | 'brotli' | 'zstd' | undefined;
  readonly wanBytesPerSecond?: Bytes | undefined;
  readonly inboxBytes?: Bytes | undefined;
  readonly changesBytes?: Bytes | undefined;
  readonly windowSeconds?: number | undefined;
  readonly conflictsKept?: number | undefined;
  readonly conflictValueBytes?: number | undefined;
  readonly prefer?: string | null | undefined;
  readonly syncKeysPerSecond?: number | undefined;
  readonly syncBytesPerSecond?: Bytes | undefined;
  readonly heartbeatMs?: number | undefined;
  readonly leaseMs?: number | undefined;
  readonly verifyCron?: string | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly commandTimeoutMs?: number | undefined;
  readonly backoffMinMs?: number | undefined;
  readonly backoffMaxMs?: number | undefined;
  readonly clockSkewWarnMs?: number | undefined;
  readonly statusIntervalMs?: number | undefined;
  /** Least level that is handed to `log`. */
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent' | undefined;
  readonly logData?: boolean | undefined;
}

export interface SiteTlsSettings {
  readonly caFile?: string | null | undefined;
  readonly certFile?: string | null | undefined;
  readonly keyFile?: string | null | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}

export interface SiteChannelSettings {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

export interface SiteFilterSettings {
  readonly databases?: 'all' | readonly number[] | undefined;
  readonly keysInclude?: readonly string[] | undefined;
  readonly keysExclude?: readonly string[] | undefined;
  readonly commandsExclude?: readonly string[] | undefined;
}

export interface SiteStreamSettings {
  readonly arrival?: readonly string[] | undefined;
}
