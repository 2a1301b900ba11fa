import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  addFlags,
  configFrom,
  givenTo,
  HELP_ALL,
  helpStyle,
  localConfigFrom,
  withSettings,
} from './options.js';
import type { Shell } from './completion.js';
import { CONFLICT_OUTCOMES } from '../observe/conflict-outcome.js';
import type { ConflictsOptions } from './conflicts.js';
import type { JobAction } from './jobs.js';
import type { VerifyArguments } from './verify.js';
import type { Direction } from '../site/pauses.js';
import { ERROR_CODES, TandemError, describeError, errorLine } from '../errors.js';
import { VERSION } from '../version.js';

/** Runs the command that argv names. Resolves with the exit code; the table of them in docs/reference/commands.md is that of errors.ts. Never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const isAll = argv.includes(HELP_ALL);
  const program = programOf((code) => (exitCode = code), isAll);
  process.stdout.on('error', outputFailed);
  try {
    await program.parseAsync(argv.map((arg) => (arg === HELP_ALL ? '--help' : arg)));
    return exitCode;
  } catch (error) {
    return failed(error);
  }
}

/** The commands and options, as commander has them. @param finish told the exit code of the one that has run */
export function programOf(finish: Finish, isHelpWhole: boolean): Command {
  const program = new Command('tandem')
    .description('Keeps two Redis or Valkey servers equal while applications write to both.')
    .version(VERSION)
    .exitOverride()
    .configureHelp(helpStyle(isHelpWhole))
    .hook('preSubcommand', withFlags)
    .addHelpText(
      'after',
      '\nSettings come from --config, TANDEM_* variables and flags, later ones win.\nEach command lists them with --help-all.',
    );

  withSettings(program.command('run'))
    .description('run a site: capture its changes, deliver them to the peer, apply those of the peer')
    .action(async (_, command: Command) => {
      const { run } = await import('./run.js');
      finish(await run(await configFrom(command)));
    });

  addLooks(program, finish);

  addStatus(program, finish);
  addLag(program, finish);
  addWait(program, finish);
  addConflicts(program, finish);
  addComparisons(program, finish);
  addJobs(program, finish);
  addPauses(program, finish);
  addRejected(program, finish);

  withSettings(program.command('adopt'))
    .description(
      "take over a Redis that was brought up from a copy of the peer's, before this site's first start",
    )
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }, command: Command) => {
      const { adopt } = await import('./adopt.js');
      finish(await adopt(await configFrom(command), { json }));
    });

  withSettings(program.command('unpair'))
    .description("remove all of Tandem's keys of this pair from this site's Redis, and nothing else")
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action(async ({ yes = false, json = false }: { yes?: boolean; json?: boolean }, command: Command) => {
      const { unpair } = await import('./unpair.js');
      finish(await unpair(await configFrom(command), { yes, json }));
    });

  addCompletion(program, finish);
  return program;
}

/** Not from the modules that have them: what only says what there is must not load what works. */
const DIRECTIONS = ['outbound', 'inbound'] as const satisfies readonly Direction[];
const JOB_ACTIONS = [
  'list',
  'watch',
  'pause',
  'resume',
  'cancel',
  'retry',
  'drop',
] as const satisfies readonly JobAction[];
const SHELLS = ['bash', 'zsh', 'fish'] as const satisfies readonly Shell[];

async function live(command: Command, json: boolean): Promise<number> {
  const { watch } = await import('./watch.js');
  return watch(await localConfigFrom(command), { json });
}

/** Before a command looks at its arguments. */
function withFlags(_: Command, command: Command): void {
  addFlags(command);
}

type Finish = (exitCode: number) => void;

/** What changes nothing and needs no running process. */
function addLooks(program: Command, finish: Finish): void {
  withSettings(program.command('check'))
    .description('look at both ends, change nothing, and tell what keeps the site from running')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }, command: Command) => {
      const { check } = await import('./check.js');
      finish(await check(await configFrom(command), { json }));
    });

  withSettings(program.command('config'))
    .description('show all settings as they count, and where each comes from, without passwords')
    .option('--json', 'print JSON')
    .option('--schema', 'print the JSON schema of the file with settings instead')
    .action(
      async ({ json = false, schema = false }: { json?: boolean; schema?: boolean }, command: Command) => {
        const { config, printSchema } = await import('./config.js');
        finish(schema ? await printSchema() : config(givenTo(command), { json }));
      },
    );
}

/** How the running process is, as it has told. */
function addStatus(program: Command, finish: Finish): void {
  withSettings(program.command('status'))
    .description('show what the running process of this site is doing')
    .option('--json', 'print JSON')
    .option('--watch', 'live, until q or Ctrl-C; in a pipe a line a second')
    .option('--exit-code', 'end with 1 as well when the process is not ready, as /readyz tells it')
    .action(async (given: { json?: boolean; watch?: boolean; exitCode?: boolean }, command: Command) => {
      const { json = false, watch: isLive = false, exitCode = false } = given;
      if (isLive) return finish(await live(command, json));
      const { status } = await import('./status.js');
      finish(await status(await localConfigFrom(command), { json, exitCode }));
    });

  withSettings(program.command('top'))
    .description('the same as status --watch')
    .option('--json', 'print JSON, a line a second')
    .action(async ({ json = false }: { json?: boolean }, command: Command) =>
      finish(await live(command, json)),
    );

  withSettings(program.command('health'))
    .description('end with 0 when a process works for this site, else say why not, and end with 1')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }, command: Command) => {
      const { health } = await import('./health.js');
      finish(await health(() => localConfigFrom(command), { json }));
    });
}

function addLag(program: Command, finish: Finish): void {
  withSettings(program.command('lag'))
    .description('show how far both directions are behind')
    .addOption(
      new Option(
        '--max <time>',
        'end with 1 when one is further behind than this, such as 500ms, 5s, 1m',
      ).argParser(timeOf),
    )
    .option('--json', 'print JSON')
    .action(async ({ max: maxMs, json = false }: { max?: number; json?: boolean }, command: Command) => {
      const { lag } = await import('./lag.js');
      finish(await lag(await localConfigFrom(command), { maxMs, json }));
    });
}

function addWait(program: Command, finish: Finish): void {
  withSettings(program.command('wait'))
    .description('wait until all that was written at this site by now is applied at the other one')
    .option('--both', 'and all that was written there by now is applied here')
    .addOption(
      new Option('--timeout <time>', 'end with 1 after this time, such as 500ms, 30s, 5m')
        .default(30_000, '30s')
        .argParser(timeOf),
    )
    .option('--json', 'print JSON')
    .action(async (given: { both?: boolean; timeout: number; json?: boolean }, command: Command) => {
      const { both = false, timeout: timeoutMs, json = false } = given;
      const { wait } = await import('./wait.js');
      finish(await wait(await localConfigFrom(command), { both, timeoutMs, json }));
    });
}

function addConflicts(program: Command, finish: Finish): void {
  withSettings(program.command('conflicts'))
    .description('list the concurrent writes that this site has met, the oldest first')
    .option('--follow', 'go on with each new one, until Ctrl-C')
    .option('--key <pattern>', "only those on a key that matches, by the rules of Redis' KEYS")
    .option('--count <n>', 'only the newest n', wholeNumber)
    .option(
      '--since <time>',
      'only those from so long ago on, such as 8h, or from a date such as 2026-05-01',
      momentOf,
    )
    .option('--until <time>', 'only those up to so long ago, or up to a date', momentOf)
    .addOption(new Option('--outcome <outcome>', 'only those that ended so').choices(CONFLICT_OUTCOMES))
    .option('--json', 'print one JSON object per line')
    .action(async (given: Partial<ConflictsOptions>, command: Command) => {
      const { conflicts } = await import('./conflicts.js');
      finish(await conflicts(await localConfigFrom(command), { follow: false, json: false, ...given }));
    });
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
    .option(
      '--dry-run',
      `${always.repair ? '' : 'with --repair: '}tell what differs and whose value would stay, and change nothing`,
    )
    .option('--out <file>', 'where to list the keys that differ (tandem-differences.jsonl)')
    .option('--json', 'print one JSON object')
    .action(async (given: Partial<VerifyArguments>, self: Command) => {
      const { sample, pattern, db, out, repair, dryRun, json } = { ...given, ...always };
      const flags = { repair: repair ?? false, dryRun: dryRun ?? false, json: json ?? false };
      const { verify } = await import('./verify.js');
      finish(await verify(await localConfigFrom(self), { sample, pattern, db, out, ...flags }));
    });
}

function addJobs(program: Command, finish: Finish): void {
  withSettings(program.command('jobs'))
    .description(
      'show the long work of this site (jobs), hold it back, end it, try it again, or take it off the list',
    )
    .addArgument(new Argument('[action]', 'what to do').choices(JOB_ACTIONS).default('list'))
    .argument('[id]', 'the job to watch, to cancel, to try again or to drop')
    .option('--json', 'print the list as JSON')
    .action(
      async (
        action: JobAction,
        id: string | undefined,
        { json = false }: { json?: boolean },
        command: Command,
      ) => {
        const { jobs } = await import('./jobs.js');
        finish(await jobs(await localConfigFrom(command), { action, id, json }));
      },
    );
}

function addRejected(program: Command, finish: Finish): void {
  const rejected = program
    .command('rejected')
    .hook('preSubcommand', withFlags)
    .description('changes of the peer that could not be applied here: list them, try them again, drop them');
  withSettings(rejected.command('list', { isDefault: true }))
    .description('list them, the newest last')
    .option('--count <n>', 'how many, of the newest', countOf, 50)
    .option('--json', 'print JSON')
    .action(async ({ json = false, count }: { json?: boolean; count: number }, command: Command) => {
      const { listRejected } = await import('./rejected.js');
      finish(await listRejected(await localConfigFrom(command), { count, json }));
    });
  const works = {
    retry: 'ask the peer for their keys as they are there now',
    drop: 'take them off the list, and leave the data as it is',
  };
  for (const [name, description] of Object.entries(works)) {
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
        ) => {
          const { retry, drop } = await import('./rejected.js');
          const work = name === 'retry' ? retry : drop;
          finish(await work(await localConfigFrom(command), { ids, all, json }));
        },
      );
  }
}

function addCompletion(program: Command, finish: Finish): void {
  program
    .command('completion')
    .description('print what a shell completes commands and options with')
    .addArgument(new Argument('<shell>', 'of which shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completionOf } = await import('./completion.js');
      process.stdout.write(completionOf(program, shell));
      finish(0);
    });
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
          const { setPaused } = await import('./pause.js');
          finish(
            await setPaused(await localConfigFrom(command), { directions, wanted: name === 'pause', json }),
          );
        },
      );
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** `500ms`, `1.5s`, `5m` or `5min`, `1h` → milliseconds. */
function timeOf(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|min|h)$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? NaN);
  if (!(ms > 0 && ms < 2 ** 31))
    throw new InvalidArgumentError('It must be a time with its unit, such as 30s.');
  return ms;
}

/** A date, or so long before now; in ms since 1970. */
function momentOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Date.now() - timeOf(text);
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('It must be a date, or a time with its unit, such as 8h.');
  return ms;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** Nobody reads any more, which is no mistake; or what is printed is lost. Node would end with a stack trace. */
function outputFailed({ code = '' }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  console.error(`tandem: the output could not be written (${code})`);
  process.once('exit', (exitCode) => {
    if (exitCode === 0) process.exitCode = ERROR_CODES.INTERNAL.exitCode;
  });
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
