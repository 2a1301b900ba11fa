import { effectiveSettings, type ConfigSources } from '../config/config.js';
import { valueText } from '../config/settings.js';

/** Prints all settings as they count, and where each comes from; passwords are masked. Resolves with 0. @throws TandemError CONFIG_INVALID */
export function config(sources: ConfigSources, { json }: { json: boolean }): number {
  const settings = effectiveSettings(sources);
  if (json) {
    const entries = settings.map(({ path, value, from }) => [path, { value, from }] as const);
    console.log(JSON.stringify(Object.fromEntries(entries)));
    return 0;
  }
  const rows = settings.map(({ path, value, from }) => [path, textOf(value), from] as const);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const [path, value, from] of rows)
    console.log(`${path.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${from}`.trimEnd());
  return 0;
}

function textOf(value: unknown): string {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
    ? '–'
    : valueText(value);
}
