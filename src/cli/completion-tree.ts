/** What a shell may complete, out of commander's own commands and options: so it cannot drift from what they take. */

import type { Argument, Command, Option } from 'commander';
import { SETTINGS } from '../config/settings.js';
import { addFlags, HELP_ALL } from './options.js';

/** A word, and what it is for. */
export interface Word {
  readonly name: string;
  /** One line. */
  readonly about: string;
}

/** What follows an option: nothing, anything, the name of a file, or one of these words. */
export type OptionValues = 'none' | 'any' | 'file' | readonly string[];

export interface CompletedOption {
  /** `-c` and `--config` */
  readonly names: readonly string[];
  readonly about: string;
  readonly values: OptionValues;
}

/** One command. */
export interface CompletedCommand {
  /** `/` for the program itself, `/rejected/list` for a command of a command. */
  readonly path: string;
  /** Commands of this one, and words that its argument may be. */
  readonly words: readonly Word[];
  /** Its own options, without those of {@link CompletionTree.settings}. */
  readonly options: readonly CompletedOption[];
  readonly takesSettings: boolean;
}

export interface CompletionTree {
  readonly commands: readonly CompletedCommand[];
  /** The flags of all settings. */
  readonly settings: readonly CompletedOption[];
}

const HELP: CompletedOption = { names: ['-h', '--help'], about: 'display help', values: 'none' };
const HELP_COMMAND: Word = { name: 'help', about: 'display help for a command' };
const FLAGS: ReadonlySet<string | undefined> = new Set(SETTINGS.map(({ flag }) => `--${flag}`));
/** What is told of a word beside it, at the most. */
const ABOUT_CHARS = 70;

export function completionTree(program: Command): CompletionTree {
  const commands = commandsUnder(program, '/');
  const settings = new Map<string, CompletedOption>();
  for (const { options } of commands.map(({ command }) => command))
    for (const option of options) if (FLAGS.has(option.long)) settings.set(option.long!, completed(option));
  return { commands: commands.map(commandOf), settings: [...settings.values()] };
}

interface Placed {
  readonly command: Command;
  readonly path: string;
}

function commandsUnder(command: Command, path: string): Placed[] {
  addFlags(command);
  const below = command.commands.flatMap((one) =>
    commandsUnder(one, `${path === '/' ? '' : path}/${one.name()}`),
  );
  return [{ command, path }, ...below];
}

function commandOf({ command, path }: Placed): CompletedCommand {
  const own = command.options.filter(({ long }) => !FLAGS.has(long));
  return {
    path,
    words: [
      ...command.commands.map((one) => ({ name: one.name(), about: brief(one.description()) })),
      ...(command.commands.length > 0 ? [HELP_COMMAND] : []),
      ...command.registeredArguments.flatMap(wordsOf),
    ],
    options: [...own.map(completed), HELP],
    takesSettings: own.some(({ long }) => long === HELP_ALL),
  };
}

function wordsOf({ argChoices = [], description }: Argument): Word[] {
  return argChoices.map((name) => ({ name, about: brief(description) }));
}

function completed(option: Option): CompletedOption {
  const { short, long, description } = option;
  return {
    names: [short, long].filter((name) => name !== undefined),
    about: brief(description),
    values: valuesOf(option),
  };
}

/** Out of what stands behind the flag in the help: `<file>`, `<always|never>`. */
function valuesOf({ flags }: Option): OptionValues {
  const placeholder = /<([^>]+)>/.exec(flags)?.[1];
  if (placeholder === undefined) return 'none';
  if (placeholder === 'file') return 'file';
  if (placeholder === 'true-or-false') return ['true', 'false'];
  return placeholder.includes('|') ? placeholder.split('|') : 'any';
}

/** The first sentence, cut. */
function brief(text: string): string {
  const sentence = text.split(/[.:] |\.$|\s\(/, 1)[0]!;
  return sentence.length <= ABOUT_CHARS ? sentence : `${sentence.slice(0, ABOUT_CHARS - 1)}…`;
}
