import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  COMMAND_TABLE,
  commandSpec,
  isContainer,
  readKeys,
  writtenKeys,
} from '../../src/redis-commands/command-table.js';
import { ReplicationTap } from '../support/command-catalogue/replication-tap.js';
import {
  isAvailable,
  isQuiet,
  samplesFor,
  type Command,
  type CommandSample,
  type ServerVersion,
} from '../support/command-catalogue.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';

/** Commands that servers call writes and that have no row, each with its reason. */
const NOT_IN_THE_TABLE: Record<string, string> = {
  MIGRATE:
    'never in a stream: what it takes away stands there as DEL, what it brings as RESTORE at the other server',
  PFDEBUG: 'a debugging command of the server itself',
  'CLUSTER FLUSHSLOT': 'stands in the stream as the DEL of each key',
};

/** Commands whose keys the server flags in another way than the table has them. */
const FLAGGED_OTHERWISE: Record<string, string> = {
  XREADGROUP: 'flagged as read only, though it moves what the group has delivered',
};

/** Samples that succeed and that COMMAND GETKEYS takes for malformed. */
const KEYS_NOT_TOLD = ['PFMERGE: no source'];

const PREFIX = 'catalogue:';

/** Flags of COMMAND GETKEYSANDFLAGS that say the command may change the key. */
const WRITE_FLAGS = ['OW', 'RW', 'RM'];

const { redis: client, server } = useServer();
let version: ServerVersion;
let samples: CommandSample[];

beforeAll(async () => {
  version = await serverVersion();
  samples = samplesFor(version, PREFIX);
});

describe('the table and the list of commands this server has', () => {
  test('every command that writes has a row, or a reason why not', async () => {
    const writing = (await commandList())
      .filter(({ flags }) => flags.includes('write'))
      .map(({ name }) => name);
    expect(
      writing.filter(
        (name) => !isContainer(name) && rowOf(name) === undefined && !(name in NOT_IN_THE_TABLE),
      ),
    ).toEqual([]);
  });

  test('every row names the versions that have its command', async () => {
    const names = new Set((await commandList()).map(({ name }) => name));
    const listsSubcommands = [...names].some((name) => name.includes(' '));
    const rows = COMMAND_TABLE.filter(({ name }) => listsSubcommands || !name.includes(' '));
    expect(
      rows
        .filter(({ name, since }) => names.has(name) !== isAvailable(since, version))
        .map(({ name }) => name),
    ).toEqual([]);
  });
});

describe('the keys of every sample', () => {
  test('are those the server finds', async () => {
    const told = samples.filter(({ title }) => !KEYS_NOT_TOLD.includes(title));
    const answers = await Promise.all(told.map(({ command }) => serverKeys('GETKEYS', command)));
    for (const [index, sample] of told.entries()) {
      const { written, read } = tableKeys(sample.command);
      expect([...written, ...read].toSorted(), sample.title).toEqual(
        answers[index]?.map(({ key }) => key).toSorted(),
      );
    }
  });

  test('are written where the server says so, and only read where it does not', async ({ skip }) => {
    if (!isAvailable('redis 7.0, valkey 7.2', version)) skip('Redis 6.2 does not tell');
    const told = samples.filter(
      ({ name, title }) => !(name in FLAGGED_OTHERWISE) && !KEYS_NOT_TOLD.includes(title),
    );
    const answers = await Promise.all(told.map(({ command }) => serverKeys('GETKEYSANDFLAGS', command)));
    for (const [index, sample] of told.entries()) {
      const written = answers[index]?.filter(({ flags }) => flags.some((flag) => WRITE_FLAGS.includes(flag)));
      expect(tableKeys(sample.command).written.toSorted(), sample.title).toEqual(
        written?.map(({ key }) => key).toSorted(),
      );
    }
  });
});

describe('every sample, run on this server', () => {
  let tap: ReplicationTap;
  let streams: Buffer[][][];

  beforeAll(async () => {
    tap = await ReplicationTap.open(server().port);
    await Promise.all(samples.flatMap((sample, index) => run(sample, index)));
    await until('the last sample in the replication stream', () => afterMarker(samples.length - 1) >= 0);
    streams = samples.map((_, index) => tap.commands.slice(beforeMarker(index) + 1, afterMarker(index)));
  });

  afterAll(() => tap.close());

  test('has an effect that the replication stream shows', () => {
    const silent = samples.filter(
      (sample, index) => streams[index]?.filter(isChange).length === 0 && !isQuiet(sample, version),
    );
    const loud = samples.filter(
      (sample, index) => (streams[index]?.filter(isChange).length ?? 0) > 0 && isQuiet(sample, version),
    );
    expect({ silent: silent.map(({ title }) => title), loud: loud.map(({ title }) => title) }).toEqual({
      silent: [],
      loud: [],
    });
  });

  test('puts only commands into the stream that have a row, on keys of its own', () => {
    for (const [index, sample] of samples.entries()) {
      for (const command of streams[index]?.filter(isChange) ?? []) {
        expect(rowOfCommand(command), `${sample.title}: ${String(command[0])}`).toBeDefined();
        const { written, read } = tableKeys(command);
        expect(
          [...written, ...read].filter((key) => !key.startsWith(PREFIX)),
          sample.title,
        ).toEqual([]);
      }
    }
  });

  /** ioredis keeps the order of what it is given, so nothing waits in between. */
  function run(sample: CommandSample, index: number): Promise<unknown>[] {
    const select: Command[] = [['SELECT', String(sample.database ?? 0)]];
    const steps = [
      ...select,
      ...sample.setup,
      marker('before', index),
      sample.command,
      marker('after', index),
    ];
    return steps.map((step) =>
      send(step).catch((error: unknown) => {
        throw new Error(`${sample.title}: ${String(error)}`, { cause: error });
      }),
    );
  }

  function marker(place: string, index: number): Command {
    return ['PUBLISH', `${PREFIX}marker`, `${place}:${index}`];
  }

  function beforeMarker(index: number): number {
    return tap.commands.findIndex((command) => command[2]?.equals(Buffer.from(`before:${index}`)));
  }

  function afterMarker(index: number): number {
    return tap.commands.findIndex((command) => command[2]?.equals(Buffer.from(`after:${index}`)));
  }
});

/** What only frames the changes in a stream. */
const FRAME = new Set(['SELECT', 'MULTI', 'EXEC', 'PING', 'REPLCONF']);

function isChange(command: readonly Buffer[]): boolean {
  return !FRAME.has(String(command[0]).toUpperCase());
}

function rowOf(name: string): ReturnType<typeof commandSpec> {
  const [container = name, subcommand] = name.split(' ');
  return commandSpec(container, subcommand);
}

function rowOfCommand(command: Command): ReturnType<typeof commandSpec> {
  return commandSpec(String(command[0]), command[1]?.toString());
}

function tableKeys(command: Command): { written: string[]; read: string[] } {
  const args = command.map((argument) => Buffer.from(argument));
  const spec = rowOfCommand(command);
  if (spec === undefined) return { written: [], read: [] };
  const names = (indexes: number[]): string[] =>
    indexes.map((index) => args[index]?.toString('latin1') ?? '');
  return { written: names(writtenKeys(spec, args)), read: names(readKeys(spec, args)) };
}

/** Keys as latin1, so that binary ones stay distinct. A command without keys is an error to the server, and an empty list here. */
async function serverKeys(
  kind: 'GETKEYS' | 'GETKEYSANDFLAGS',
  command: Command,
): Promise<{ key: string; flags: string[] }[]> {
  // A bare command cannot be asked about, and has no key.
  if (command.length === 1) return [];
  try {
    const answer = (await client.callBuffer('COMMAND', kind, ...command)) as (Buffer | [Buffer, Buffer[]])[];
    return answer.map((entry) => {
      const [key, flags] = Array.isArray(entry) ? entry : [entry, []];
      return { key: key.toString('latin1'), flags: flags.map(String) };
    });
  } catch (error) {
    if (String(error).includes('no key arguments')) return [];
    throw new Error(`COMMAND ${kind} ${String(command[0])}`, { cause: error });
  }
}

/** All commands and sub-commands, as the table names them. Redis 6.2 does not list sub-commands. */
async function commandList(): Promise<{ name: string; flags: string[] }[]> {
  const flat = (entries: unknown[][]): { name: string; flags: string[] }[] =>
    entries.flatMap((entry) => [
      { name: String(entry[0]).toUpperCase().replace('|', ' '), flags: (entry[2] as unknown[]).map(String) },
      ...flat((entry[9] ?? []) as unknown[][]),
    ]);
  return flat((await client.call('COMMAND')) as unknown[][]);
}

async function send(command: Command): Promise<unknown> {
  const [name, ...args] = command;
  return client.call(String(name), ...args);
}

async function serverVersion(): Promise<ServerVersion> {
  const info = await client.info('server');
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1] ?? '';
  return valkey === undefined ? { kind: 'redis', version: redis } : { kind: 'valkey', version: valkey };
}
