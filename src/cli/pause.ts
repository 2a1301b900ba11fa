import type { LocalConfig } from '../config/config.js';
import { pause, readPauses, resume, type Direction, type Paused } from '../site/pauses.js';
import { atLocalSite, isWorkedFor } from './local-site.js';

/** Pauses directions of the local site, or lets them go on, and says how both stand then. Resolves with 0. */
export async function setPaused(
  config: LocalConfig,
  { directions, wanted, json }: { directions: readonly Direction[]; wanted: boolean; json: boolean },
): Promise<number> {
  return atLocalSite(config, wanted ? 'pause' : 'resume', async (site) => {
    const { redis, keys } = site;
    await (wanted ? pause : resume)(redis, keys, directions);
    const paused = await readPauses(redis, keys);
    const running = await isWorkedFor(site);
    console.log(
      json
        ? JSON.stringify({ running, pausedSince: pausedSince(paused) })
        : renderPaused(config, { paused, running }),
    );
    return 0;
  });
}

/** As it stands in JSON: ms since 1970, or null. */
export function pausedSince({ outbound, inbound }: Paused): Record<Direction, number | null> {
  return { outbound: outbound ?? null, inbound: inbound ?? null };
}

/** A line for each direction, and when it takes effect. */
function renderPaused(
  { site, peer }: Pick<LocalConfig, 'site' | 'peer'>,
  { paused, running }: { paused: Paused; running: boolean },
): string {
  const state = (since: number | undefined): string =>
    since === undefined ? 'not paused' : `paused since ${new Date(since).toISOString()}`;
  return [
    `outbound (${site} → ${peer})  ${state(paused.outbound)}`,
    `inbound  (${peer} → ${site})  ${state(paused.inbound)}`,
    running
      ? 'The running process follows within a second.'
      : 'No process runs; one that is started finds it so.',
  ].join('\n');
}
