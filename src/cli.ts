#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { check } from './commands/check.js';
import { conflicts } from './commands/conflicts.js';
import { configFrom, withSettings } from './commands/options.js';
import { run } from './commands/run.js';
import { status } from './commands/status.js';
import { ERROR_CODES, TandemError, describeError, errorLine } from './errors.js';
import { VERSION } from './version.js';

process.exitCode = await main(process.argv);

/** Runs the command that argv names. Resolves with the exit code; the README's table of them is that of errors.ts. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = programOf((code) => (exitCode = code));
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    return failed(error);
  }
}

function programOf(finish: (exitCode: number) => void): Command {
  const program = new Command('tandem')
    .description('Keeps two Redis or Valkey servers equal while applications write to both.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      '\nSettings come from --config, TANDEM_* variables and flags, later ones win. Each command lists them with --help.',
    );

  withSettings(program.command('run'))
    .description('run a site: capture its changes, deliver them to the peer, apply those of the peer')
    .action(async (_, command: Command) => finish(await run(configFrom(command))));

  withSettings(program.command('check'))
    .description('look at both ends, change nothing, and tell what keeps the site from running')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }, command: Command) =>
      finish(await check(configFrom(command), { json })),
    );

  withSettings(program.command('status'))
    .description('show what the running process of this site is doing')
    .option('--json', 'print JSON')
    .option('--watch', 'again every second, until Ctrl-C')
    .action(async ({ json = false, watch = false }: { json?: boolean; watch?: boolean }, command: Command) =>
      finish(await status(configFrom(command), { json, watch })),
    );

  withSettings(program.command('conflicts'))
    .description('list the concurrent writes that this site has met, the oldest first')
    .option('--follow', 'go on with each new one, until Ctrl-C')
    .option('--key <pattern>', "only those on a key that matches, by the rules of Redis' KEYS")
    .option('--count <n>', 'only the newest n', wholeNumber)
    .option('--json', 'print one JSON object per line')
    .action(
      async (given: { follow?: boolean; key?: string; count?: number; json?: boolean }, command: Command) => {
        const { follow = false, json = false, key, count } = given;
        finish(await conflicts(configFrom(command), { follow, json, key, count }));
      },
    );

  return program;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function failed(error: unknown): number {
  // Commander has printed the help, the version, or what is wrong with the arguments.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ERROR_CODES.CONFIG_INVALID.exitCode;
  console.error(`tandem: ${errorLine(error)}`);
  if (!(error instanceof TandemError)) {
    console.error(describeError(error).stack ?? '');
    return ERROR_CODES.INTERNAL.exitCode;
  }
  if (error.hint !== undefined) console.error(`  → ${error.hint}`);
  return error.exitCode;
}
