import { loadConfig } from '../config/config.js';
import { TandemError } from '../errors.js';
import { createLogger } from '../log/log.js';
import { EmbeddedSite } from './embedded-site.js';
import type { LogEntry, RunningSite } from './running-site.js';
import type { SiteSettings } from './site-settings.js';

/** Settings of the command line alone: an embedding program has a log and a port of its own. */
const OF_THE_COMMAND = ['logPretty', 'httpPort', 'httpHost', 'httpData', 'httpTokenFile'];

export interface StartOptions {
  /** Is handed each line of the log. Without it nothing is logged. */
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

/**
 * Starts a site in this process: the same as `tandem run`, without signals, output and HTTP. Nothing is read from the environment.
 * Resolves when it has begun, and not when it is ready: a server that is away is waited for.
 * @throws TandemError CONFIG_INVALID with everything that is wrong with the settings
 */
export async function startSite(settings: SiteSettings, { log }: StartOptions = {}): Promise<RunningSite> {
  const given = plain(settings);
  const config = loadConfig({ settings: { ...given, logPretty: 'never' }, env: {} });
  const level = log === undefined ? 'silent' : config.logLevel;
  const write = (line: string): void => {
    const entry = JSON.parse(line) as LogEntry;
    queueMicrotask(() => log?.(entry));
  };
  return new EmbeddedSite({ config, log: createLogger({ ...config, logLevel: level }, { write }) });
}

/** A copy: the settings are frozen later, and are not to change with an object of the program's. */
function plain(settings: SiteSettings): Record<string, unknown> {
  const given = JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
  const foreign = OF_THE_COMMAND.filter((name) => name in given);
  if (foreign.length === 0) return given;
  throw new TandemError('CONFIG_INVALID', `an embedded site has no setting ${foreign.join(', ')}`, {
    hint: 'status(), reasons() and metrics() give what the HTTP port shows; the option log is handed the log',
  });
}
