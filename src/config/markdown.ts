import { SETTINGS, valueText } from './settings.js';
import type { Setting } from './settings.js';

/** The table of all settings for docs/reference/settings.md. */
export function settingsTable(): string {
  const rows = SETTINGS.map((setting) => [
    `\`${setting.path}\``,
    `\`${setting.env}\``,
    defaultText(setting),
    setting.doc,
  ]);
  return [['setting', 'environment', 'default', 'what it does'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map(cell).join(' | ')} |`)
    .join('\n');
}

function defaultText({ default: value, nullable, format }: Setting): string {
  if (value === null) return nullable ? 'none' : 'required';
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'none';
  const text = `\`${format === 'bytes' ? inUnits(Number(value)) : valueText(value)}\``;
  return Array.isArray(format) ? `${text} (${format.join(', ')})` : text;
}

function inUnits(bytes: number): string {
  if (bytes === 0) return '0';
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}MiB` : `${bytes / 2 ** 10}KiB`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
