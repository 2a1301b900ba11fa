import { Help, Option } from 'commander';
import type { Command } from 'commander';
import type { Config, ConfigSources, LocalConfig } from '../config/config.js';
import { SETTINGS, valueText } from '../config/settings.js';
import type { Setting } from '../config/settings.js';

/** Asks for the help with all settings. */
export const HELP_ALL = '--help-all';

const FLAGS: ReadonlySet<string | undefined> = new Set(SETTINGS.map(({ flag }) => `--${flag}`));

/** Of a terminal, and of the column with the names of commands and options in it. */
const HELP_COLUMNS = 80;
const NAME_COLUMNS = 30;

/** How help is written: a command's own options come first, and the settings behind them if all are asked for. */
export function helpStyle(isAll: boolean): Partial<Help> {
  let isForHelp = false;
  return {
    formatHelp(command, helper) {
      isForHelp = true;
      return Help.prototype.formatHelp.call(this, command, helper);
    },
    helpWidth: HELP_COLUMNS,
    showGlobalOptions: false,
    visibleOptions(command) {
      const shown = Help.prototype.visibleOptions.call(this, command);
      // Commander asks for them as well to find out what was meant by one that is misspelt.
      if (!isForHelp) return shown;
      const settings = shown.filter(({ long }) => FLAGS.has(long));
      return [...shown.filter(({ long }) => !FLAGS.has(long)), ...(isAll ? settings : [])];
    },
    padWidth(command, helper) {
      return Math.min(NAME_COLUMNS, Help.prototype.padWidth.call(this, command, helper));
    },
    /** A long name has a line of its own. */
    formatItem(term, termWidth, description, helper) {
      const format = Help.prototype.formatItem.bind(this);
      if (term.length <= termWidth) return format(term, termWidth, description, helper);
      return `${format(term, termWidth, '', helper)}\n${format('', termWidth, description, helper)}`;
    },
  };
}

/** Commands that take settings, and have no flags for them yet. */
const withoutFlags = new WeakSet<Command>();

/** Adds `--config`, and one flag for each setting once {@link addFlags} is called with the command. */
export function withSettings(command: Command): Command {
  withoutFlags.add(command);
  return command
    .option('-c, --config <file>', 'JSON or YAML file with settings')
    .option(HELP_ALL, 'display help with all settings');
}

/**
 * Adds the flags of the settings to a command that takes them; they are made from the schema, so they cannot drift from it. That is done
 * for the command that runs alone: for all of them it would take longer than any other part of the start.
 */
export function addFlags(command: Command): void {
  if (!withoutFlags.delete(command)) return;
  for (const setting of SETTINGS) command.addOption(optionOf(setting));
}

/** The configuration out of what commander parsed for a command made by {@link withSettings}. */
export async function configFrom(command: Command): Promise<Config> {
  const { loadConfig } = await import('../config/config.js');
  return loadConfig(givenTo(command));
}

/** The same for a command that works at this site's own Redis alone. */
export async function localConfigFrom(command: Command): Promise<LocalConfig> {
  const { loadLocalConfig } = await import('../config/config.js');
  return loadLocalConfig(givenTo(command));
}

/** What commander parsed for it. */
export function givenTo(command: Command): ConfigSources {
  const given = command.opts<Record<string, string | undefined>>();
  const flags = new Map<string, string>();
  for (const setting of SETTINGS) {
    const text = given[optionOf(setting).attributeName()];
    if (text !== undefined) flags.set(setting.path, text);
  }
  const file = given['config'];
  return { flags, ...(file === undefined ? {} : { file }) };
}

/** Every value is text here: the configuration alone knows what is right, and names all mistakes at once. */
function optionOf({ flag, format, doc, default: value, nullable }: Setting): Option {
  const placeholder = typeof format === 'string' ? format.replaceAll(' ', '-') : format.join('|');
  const otherwise = value === null ? (nullable ? '' : ' (required)') : ` (${valueText(value)})`;
  return new Option(`--${flag} <${placeholder}>`, `${doc.replaceAll('`', '')}${otherwise}`);
}
