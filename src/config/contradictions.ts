import { parseTarget, whereTo } from './sentinel-url.js';
import type { Config } from './schema.js';

/** `peerUrl` is null where only this site's own Redis is needed. */
type Given = Omit<Config, 'peerUrl'> & { readonly peerUrl: string | null };

/** Of heartbeats and what else the sites tell each other some thousand bytes a second are sent. */
const LEAST_WAN_BYTES = 16 * 1024;

/** Every way in which settings that are right one by one do not go together: one line each. */
export function contradictions(config: Given): string[] {
  const peerAt = config.peerUrl === null ? null : whereTo(config.peerUrl);
  const rules: [boolean, string][] = [
    [
      config.site === config.peer,
      `site and peer: both are "${config.site}"; the sites of a pair have different names`,
    ],
    [
      config.prefer !== null && config.prefer !== config.site && config.prefer !== config.peer,
      `prefer: "${config.prefer}" is neither site "${config.site}" nor peer "${config.peer}"`,
    ],
    [
      whereTo(config.localUrl) === peerAt,
      `localUrl and peerUrl: both lead to ${whereTo(config.localUrl)}; a pair is two servers`,
    ],
    [
      config.streamUrl !== null && whereTo(config.streamUrl) === peerAt,
      `streamUrl and peerUrl: both lead to ${peerAt}; the stream is read from this site`,
    ],
    [
      (config.tls.certFile === null) !== (config.tls.keyFile === null),
      'tls.certFile and tls.keyFile: a certificate and its key are set together',
    ],
    [
      usesTlsSettings(config) && config.peerUrl !== null && !hasTlsUrl(config),
      'tls: settings for TLS, but no URL starts with rediss:// or sentinels://',
    ],
    [
      config.backoffMinMs > config.backoffMaxMs,
      `backoffMinMs and backoffMaxMs: ${config.backoffMinMs} is more than ${config.backoffMaxMs}`,
    ],
    [
      config.batchBytes > config.inboxBytes,
      `batchBytes and inboxBytes: a batch of ${config.batchBytes} bytes does not fit into an inbox of ${config.inboxBytes}`,
    ],
    [
      config.batchBytes > config.changesBytes,
      `batchBytes and changesBytes: a batch of ${config.batchBytes} bytes does not fit into a change list of ${config.changesBytes}`,
    ],
    [
      config.wanBytesPerSecond > 0 && config.wanBytesPerSecond < LEAST_WAN_BYTES,
      `wanBytesPerSecond: ${config.wanBytesPerSecond} is less than the sites need to tell each other how they are; at least ${LEAST_WAN_BYTES}, or 0 for no limit`,
    ],
    [
      config.compress === 'zstd' && process.versions['zstd'] === undefined,
      `compress: Node.js ${process.version} has no zstd; 22.15 has it`,
    ],
    [
      config.filters.keysInclude.length === 0 || config.filters.keysExclude.includes('*'),
      'filters.keysInclude and filters.keysExclude: no key is left to replicate',
    ],
    [
      !config.publish &&
        (config.publishChannels.include.join() !== '*' || config.publishChannels.exclude.length > 0),
      'publish and publishChannels: channels are chosen, but publish is false',
    ],
  ];
  return rules.filter(([contradicts]) => contradicts).map(([, problem]) => problem);
}

function usesTlsSettings({ tls }: Given): boolean {
  return tls.caFile !== null || tls.certFile !== null || tls.keyFile !== null || !tls.rejectUnauthorized;
}

function hasTlsUrl({ localUrl, peerUrl, streamUrl }: Given): boolean {
  return [localUrl, peerUrl, streamUrl].some((url) => url !== null && parseTarget(url).tls);
}
