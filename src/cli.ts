#!/usr/bin/env node
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { check } from './commands/check.js';
import { conflicts } from './commands/conflicts.js';
import { jobs } from './commands/jobs.js';
import { configFrom, withSettings } from './commands/options.js';
import { setPaused } from './commands/pause.js';
import { drop, listRejected, retry } from './commands/rejected.js';
import { run } from './commands/run.js';
import { status } from './commands/status.js';
import { verify, type VerifyArguments } from './commands/verify.js';
import { DIRECTIONS, type Direction } from './control/pauses.js';
import { unpair } from './commands/unpair.js';
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

function programOf(finish: Finish): Command {
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

  addConflicts(program, finish);
  addComparisons(program, finish);
  addJobs(program, finish);
  addPauses(program, finish);
  addRejected(program, finish);

  withSettings(program.command('unpair'))
    .description("remove all of Tandem's keys of this pair from this site's Redis, and nothing else")
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action(async ({ yes = false, json = false }: { yes?: boolean; json?: boolean }, command: Command) =>
      finish(await unpair(configFrom(command), { yes, json })),
    );

  return program;
}

type Finish = (exitCode: number) => void;

function addConflicts(program: Command, finish: Finish): void {
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
}

function addComparisons(program: Command, finish: Finish): void {
  comparing(program.command('verify'), finish)
    .description(
      'compare both sites exactly while they are written; exit code 0: equal, 1: different, 2: not compared',
    )
    .option(
      '--repair',
      "make the keys that differ equal: a key one site lacks is copied, else prefer's value stays",
    );
  comparing(program.command('repair'), finish, { repair: true }).description(
    "compare both sites and make them equal: a key one site lacks is copied, else prefer's value stays (without prefer: this site's)",
  );
}

function comparing(command: Command, finish: Finish, always: Partial<VerifyArguments> = {}): Command {
  return withSettings(command)
    .option('--sample <percent>', 'only so many of the keys, always the same ones')
    .option('--pattern <glob>', 'only keys that match')
    .option('--db <number>', 'only keys of this database')
    .option('--dry-run', 'with --repair: tell what differs and change nothing')
    .option('--out <file>', 'where to list the keys that differ (tandem-differences.jsonl)')
    .option('--json', 'print one JSON object')
    .action(async (given: Partial<VerifyArguments>, self: Command) => {
      const { sample, pattern, db, out, repair, dryRun, json } = { ...given, ...always };
      const flags = { repair: repair ?? false, dryRun: dryRun ?? false, json: json ?? false };
      finish(await verify(configFrom(self), { sample, pattern, db, out, ...flags }));
    });
}

function addJobs(program: Command, finish: Finish): void {
  withSettings(program.command('jobs'))
    .description('show the long work of this site (jobs), keep it from beginning, or end it')
    .argument('[action]', 'list, pause, resume or cancel', 'list')
    .argument('[id]', 'the job to cancel')
    .option('--json', 'print the list as JSON')
    .action(
      async (
        action: string,
        id: string | undefined,
        { json = false }: { json?: boolean },
        command: Command,
      ) => finish(await jobs(configFrom(command), { action, id, json })),
    );
}

function addRejected(program: Command, finish: Finish): void {
  const rejected = program
    .command('rejected')
    .description('changes of the peer that could not be applied here: list them, try them again, drop them');
  withSettings(rejected.command('list', { isDefault: true }))
    .description('list them, the newest last')
    .option('--count <n>', 'how many, of the newest', countOf, 50)
    .option('--json', 'print JSON')
    .action(async ({ json = false, count }: { json?: boolean; count: number }, command: Command) =>
      finish(await listRejected(configFrom(command), { count, json })),
    );
  const works = {
    retry: { work: retry, description: 'ask the peer for their keys as they are there now' },
    drop: { work: drop, description: 'take them off the list, and leave the data as it is' },
  };
  for (const [name, { work, description }] of Object.entries(works)) {
    withSettings(rejected.command(name))
      .description(description)
      .argument('[ID...]', 'entries of the list')
      .option('--all', 'all of them')
      .option('--json', 'print JSON')
      .action(
        async (
          ids: string[],
          { json = false, all = false }: { json?: boolean; all?: boolean },
          command: Command,
        ) => finish(await work(configFrom(command), { ids, all, json })),
      );
  }
}

function countOf(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a number from 1 on.');
  return Number(text);
}

function addPauses(program: Command, finish: Finish): void {
  const words = {
    pause: 'hold changes back: outbound in the change list, inbound in the inbox, both if none is named',
    resume: 'let changes go on that were paused',
  };
  for (const [name, description] of Object.entries(words)) {
    withSettings(program.command(name))
      .description(description)
      .addArgument(new Argument('[direction]', 'which').choices(DIRECTIONS))
      .option('--json', 'print JSON')
      .action(
        async (direction: Direction | undefined, { json = false }: { json?: boolean }, command: Command) => {
          const directions = direction === undefined ? DIRECTIONS : [direction];
          finish(await setPaused(configFrom(command), { directions, wanted: name === 'pause', json }));
        },
      );
  }
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
