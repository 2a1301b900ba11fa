import { parseTarget, whereTo } from './sentinel-url.js';
import type { Config } from './schema.js';

/** `peerUrl` is null where only this site's own Redis is needed. */
type Given = Omit<Config, 'peerUrl'> & { readonly peerUrl: string | null };

/** Of heartbeats and what else the sites tell each other some thousand bytes a second are sent. */
const LEAST_WAN_BYTES = 16 * 1024;

/** A way in which settings that are right one by one do not go together. */
interface Rule {
  /** The settings it looks at. */
  readonly of: readonly string[];
  readonly isBroken: (config: Given) => boolean;
  readonly problem: (config: Given) => string;
}

const RULES: readonly Rule[] = [
  {
    of: ['site', 'peer'],
    isBroken: ({ site, peer }) => site === peer,
    problem: ({ site }) => `site and peer: both are "${site}"; the sites of a pair have different names`,
  },
  {
    of: ['prefer', 'site', 'peer'],
    isBroken: ({ prefer, site, peer }) => prefer !== null && prefer !== site && prefer !== peer,
    problem: ({ prefer, site, peer }) => `prefer: "${prefer}" is neither site "${site}" nor peer "${peer}"`,
  },
  {
    of: ['localUrl', 'peerUrl'],
    isBroken: ({ localUrl, peerUrl }) => whereTo(localUrl) === peerAt(peerUrl),
    problem: ({ localUrl }) =>
      `localUrl and peerUrl: both lead to ${whereTo(localUrl)}; a pair is two servers`,
  },
  {
    of: ['streamUrl', 'peerUrl'],
    isBroken: ({ streamUrl, peerUrl }) => streamUrl !== null && whereTo(streamUrl) === peerAt(peerUrl),
    problem: ({ peerUrl }) =>
      `streamUrl and peerUrl: both lead to ${peerAt(peerUrl)}; the stream is read from this site`,
  },
  {
    of: ['tls.certFile', 'tls.keyFile'],
    isBroken: ({ tls }) => (tls.certFile === null) !== (tls.keyFile === null),
    problem: () => 'tls.certFile and tls.keyFile: a certificate and its key are set together',
  },
  {
    of: [
      'tls.caFile',
      'tls.certFile',
      'tls.keyFile',
      'tls.rejectUnauthorized',
      'localUrl',
      'peerUrl',
      'streamUrl',
    ],
    isBroken: (config) => usesTlsSettings(config) && config.peerUrl !== null && !hasTlsUrl(config),
    problem: () => 'tls: settings for TLS, but no URL starts with rediss:// or sentinels://',
  },
  {
    of: ['backoffMinMs', 'backoffMaxMs'],
    isBroken: ({ backoffMinMs, backoffMaxMs }) => backoffMinMs > backoffMaxMs,
    problem: ({ backoffMinMs, backoffMaxMs }) =>
      `backoffMinMs and backoffMaxMs: ${backoffMinMs} is more than ${backoffMaxMs}`,
  },
  {
    of: ['batchBytes', 'inboxBytes'],
    isBroken: ({ batchBytes, inboxBytes }) => batchBytes > inboxBytes,
    problem: ({ batchBytes, inboxBytes }) =>
      `batchBytes and inboxBytes: a batch of ${batchBytes} bytes does not fit into an inbox of ${inboxBytes}`,
  },
  {
    of: ['batchBytes', 'changesBytes'],
    isBroken: ({ batchBytes, changesBytes }) => batchBytes > changesBytes,
    problem: ({ batchBytes, changesBytes }) =>
      `batchBytes and changesBytes: a batch of ${batchBytes} bytes does not fit into a change list of ${changesBytes}`,
  },
  {
    of: ['wanBytesPerSecond'],
    isBroken: ({ wanBytesPerSecond: bytes }) => bytes > 0 && bytes < LEAST_WAN_BYTES,
    problem: ({ wanBytesPerSecond: bytes }) =>
      `wanBytesPerSecond: ${bytes} is less than the sites need to tell each other how they are; at least ${LEAST_WAN_BYTES}, or 0 for no limit`,
  },
  {
    of: ['compress'],
    isBroken: ({ compress }) => compress === 'zstd' && process.versions['zstd'] === undefined,
    problem: () => `compress: Node.js ${process.version} has no zstd; 22.15 has it`,
  },
  {
    of: ['filters.keysInclude', 'filters.keysExclude'],
    isBroken: ({ filters }) => filters.keysInclude.length === 0 || filters.keysExclude.includes('*'),
    problem: () => 'filters.keysInclude and filters.keysExclude: no key is left to replicate',
  },
  {
    of: ['publish', 'publishChannels.include', 'publishChannels.exclude'],
    isBroken: ({ publish, publishChannels: { include, exclude } }) =>
      !publish && (include.join() !== '*' || exclude.length > 0),
    problem: () => 'publish and publishChannels: channels are chosen, but publish is false',
  },
];

/** One line for each way in which settings do not go together. @param wrong paths of settings that are wrong alone: nothing is said of them */
export function contradictions(config: Given, wrong: ReadonlySet<string> = new Set()): string[] {
  return RULES.filter(({ of, isBroken }) => !of.some((path) => wrong.has(path)) && isBroken(config)).map(
    ({ problem }) => problem(config),
  );
}

function peerAt(peerUrl: string | null): string | null {
  return peerUrl === null ? null : whereTo(peerUrl);
}

function usesTlsSettings({ tls }: Given): boolean {
  return tls.caFile !== null || tls.certFile !== null || tls.keyFile !== null || !tls.rejectUnauthorized;
}

function hasTlsUrl({ localUrl, peerUrl, streamUrl }: Given): boolean {
  return [localUrl, peerUrl, streamUrl].some((url) => url !== null && parseTarget(url).tls);
}
