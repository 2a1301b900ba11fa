import { effectiveSettings, MISSING, type ConfigSources } from '../config/config.js';
import { valueText } from '../config/settings.js';
import { paint } from './terminal.js';

/**
 * Prints all settings as they count, and where each comes from, also those that cannot be used; passwords are masked. Resolves with 0,
 * also where `peerUrl` alone is missing. @throws TandemError CONFIG_INVALID when others are, or some are wrong, behind the list
 */
export function config(sources: ConfigSources, { json }: { json: boolean }): number {
  const { settings, error } = effectiveSettings(sources);
  if (json) {
    const entries = settings.map(({ path, value, from }) => [path, { value, from }] as const);
    console.log(JSON.stringify(Object.fromEntries(entries)));
  } else {
    const rows = settings.map(({ path, value, from }) => [path, textOf(value), from] as const);
    const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
    for (const [path, value, from] of rows) {
      const line = `${path.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${from}`;
      console.log(from === MISSING ? paint.yellow(line) : line.trimEnd());
    }
  }
  if (error !== undefined) throw error;
  if (settings.some(({ path, from }) => path === 'peerUrl' && from === MISSING))
    console.error('peerUrl is missing: run, check, adopt and unpair need it');
  return 0;
}

/** Prints the JSON schema of a file of settings. Resolves with 0. */
export async function printSchema(): Promise<number> {
  const { settingsSchema } = await import('../config/json-schema.js');
  console.log(JSON.stringify(settingsSchema(), null, 2));
  return 0;
}

function textOf(value: unknown): string {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
    ? '–'
    : valueText(value);
}
