import type { LocalConfig } from '../config/config.js';
import { knownLag, type KnownLag } from '../observe/lag.js';
import { readStatusKey, SILENT_MS } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { atLocalRedis } from './clients.js';
import { duration, lagText } from './terminal.js';

/** A direction, and how far it is behind. */
interface Lag extends KnownLag {
  readonly direction: string;
}

/**
 * Prints how far both directions are behind, as the running process has last told. Resolves with 0, or with 1 when one of them is
 * more than `maxMs` behind, or may be, or no process runs.
 */
export function lag(
  config: LocalConfig,
  { maxMs = Infinity, json }: { maxMs?: number | undefined; json: boolean },
): Promise<number> {
  return atLocalRedis(config, { purpose: 'lag', untilSignal: false }, async ({ redis, keys }) => {
    const site = await readStatusKey(redis, keys.status);
    if (site === null) {
      if (json) console.log(JSON.stringify({ running: false }));
      console.error(`no process runs for site ${config.site} of pair ${config.pair}`);
      return 1;
    }
    const { outbound, inbound } = lagsOf(site, Date.now());
    if (json) console.log(JSON.stringify({ running: true, outbound, inbound }));
    else for (const one of [outbound, inbound]) console.log(`${one.direction}  ${lagText(one)}`);
    const late = [outbound, inbound].filter(({ lagMs }) =>
      lagMs === null ? maxMs < Infinity : lagMs > maxMs,
    );
    for (const { direction, lagMs, reason } of late) {
      const behind = lagMs === null ? [] : [`${duration(lagMs)} behind, more than ${duration(maxMs)}`];
      console.error(`${direction}: ${[...behind, ...(reason === undefined ? [] : [reason])].join('; ')}`);
    }
    return late.length > 0 ? 1 : 0;
  });
}

/** A process that has been silent for long may have stood still since: that counts as lag. @param now in ms since 1970 */
export function lagsOf(site: SiteStatus, now: number): { outbound: Lag; inbound: Lag } {
  const ageMs = now - site.at;
  const silentMs = ageMs > SILENT_MS ? ageMs : 0;
  const of = (name: string, direction: 'outbound' | 'inbound'): Lag => {
    const { lagMs, ...reason } = knownLag(site, direction);
    return { direction: name, lagMs: lagMs === null ? null : lagMs + silentMs, ...reason };
  };
  return {
    outbound: of(`${site.site} → ${site.peer}`, 'outbound'),
    inbound: of(`${site.peer} → ${site.site}`, 'inbound'),
  };
}
