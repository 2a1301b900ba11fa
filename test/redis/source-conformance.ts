/** What the stages rely on in any source of changes, as tests. An implementation's own test file calls {@link conformance}. */

import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChangeSource } from '../../src/capture/change-source.js';
import type {
  CapturedBatch,
  ChangeSink,
  InternalEvents,
  LocalWriteNotes,
} from '../../src/capture/change-sink.js';
import { TandemError } from '../../src/errors.js';
import { decodeBatch } from '../../src/protocol/batch.js';
import { sequencedCommands } from '../../src/protocol/payload.js';
import type { Position } from '../../src/protocol/position.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import type { TestServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { KEYS } from './internal-keys.js';

export interface SourceOptions {
  /** Where to go on; absent: at the present. */
  readonly from?: Position | undefined;
  readonly nextSequence: number;
  readonly sink: ChangeSink;
  readonly writes: LocalWriteNotes;
  readonly events: InternalEvents;
}

export type OpenSource = (server: TestServer, options: SourceOptions) => Promise<ChangeSource>;

const WRITES = 2000;

/** A source at work, and what it has handed on. */
class Heard {
  readonly changes: string[] = [];
  readonly events: string[] = [];
  readonly batches: CapturedBatch[] = [];
  ended: unknown;
  source!: ChangeSource;

  readonly sink: ChangeSink = {
    batch: (batch) => {
      this.batches.push(batch);
      const { seen, ...decoded } = decodeBatch(batch.bytes);
      for (const { sequence, command } of sequencedCommands({ ...decoded, seen }))
        this.changes.push(
          [sequence, seen, command.database, command.name, ...command.args.slice(1).map(String)].join(' '),
        );
    },
    tooLarge: (bytes) => this.events.push(`too large ${bytes}`),
    skipped: (reason, command) => this.events.push(`skipped ${reason} ${command}`),
  };
  readonly writes: LocalWriteNotes = {
    write: () => {},
    flushed: () => {},
    named: () => {},
    popped: () => {},
  };
  readonly listener: InternalEvents = {
    delivered: (batch) => this.events.push(`delivered ${batch.toString()}`),
    heartbeat: (fields) => this.events.push(`heartbeat ${fields.get('beat')}`),
    told: (text) => this.events.push(`told ${text}`),
    rewound: (id) => this.events.push(`rewound ${id}`),
    barrier: (text) => this.events.push(`barrier ${text} behind ${this.source.nextSequence - 1}`),
    applied: (sequence, decided) => this.events.push(`applied ${sequence} ${decided}`),
    echoed: (_, database, { name }) => this.events.push(`echoed ${name} in ${database}`),
    appliedEnd: () => [],
    writing: () => [],
    watchesWrites: false,
    mayWatch: () => false,
    answering: encodeCommand,
    marking: encodeCommand,
    keyspace: (event) => this.events.push(event),
    askedForAcknowledgement: () => {},
  };

  async begin(open: OpenSource, server: TestServer, from?: Position, nextSequence = 1): Promise<this> {
    const { sink, writes, listener: events } = this;
    this.source = await open(server, { from, nextSequence, sink, writes, events });
    this.source
      .run({ begins: () => {}, ends: () => this.source.cut() })
      .catch((error: unknown) => (this.ended = error));
    return this;
  }

  /** Resolves when the source has read all that was written before. */
  async upTo(client: Redis, barrier: string): Promise<void> {
    await client.set(KEYS.barrier, barrier);
    const passed = (event: string): boolean => event.startsWith(`barrier ${barrier} `);
    await until(`the barrier ${barrier}`, () => this.events.some(passed));
  }
}

/** @param open opens a source at a server, of the site east */
export function conformance(name: string, open: OpenSource): void {
  describe(`the source ${name}`, () => {
    const { redis: client, server } = useServer({ config: { 'repl-backlog-size': '64mb' } });
    let heard: Heard;

    beforeEach(async () => {
      heard = await new Heard().begin(open, server());
    });
    afterEach(() => heard.source.close());

    test('hands each change on once, in order, numbered without a gap', async () => {
      for (let i = 0; i < WRITES; i++) void client.set(`k${i % 7}`, i);
      await heard.upTo(client, 'a');
      const expected = Array.from({ length: WRITES }, (_, i) => `${i + 1} 0 0 SET k${i % 7} ${i}`);
      expect(heard.changes).toEqual(expected);
    });

    test('makes one change of a transaction, whatever databases it writes', async () => {
      await client.multi().set('a', 1).select(3).set('b', 2).select(0).exec();
      await client.set('c', 3);
      await heard.upTo(client, 'a');
      expect(heard.changes).toEqual(['1 0 0 SET a 1', '1 0 3 SET b 2', '2 0 0 SET c 3']);
    });

    test('tells of a barrier behind all that was written before it', async () => {
      await client.set('a', 1);
      await client.incr('a');
      await heard.upTo(client, 'here');
      await client.set('b', 1);
      await heard.upTo(client, 'there');
      expect(heard.events).toEqual(['barrier here behind 2', 'barrier there behind 3']);
    });

    test('tells of what Tandem writes for itself, and makes no change of it', async () => {
      await client.rpush(KEYS.inbox, 'one', 'two');
      await client.hset(KEYS.received, 'beat', 5, 'beatSeen', 6, 'beatClock', 7);
      await client.hset(KEYS.received, 'told', 'well');
      await client.hset(KEYS.received, 'rewound', 'id');
      await heard.upTo(client, 'a');
      expect(heard.events).toEqual([
        'delivered one',
        'delivered two',
        'heartbeat 5',
        'told well',
        'rewound id',
        'barrier a behind 0',
      ]);
      expect(heard.changes).toEqual([]);
    });

    test('passes over an applied transaction, and moves what has been seen at its place', async () => {
      await client.set('before', 1);
      const marker = ['epoch', 1, 'n', 41, 'decided', 7] as const;
      await client
        .multi()
        .hset(KEYS.applied, ...marker)
        .set('theirs', 1)
        .select(2)
        .set('theirs', 2)
        .exec();
      await client.select(0);
      await client.set('behind', 1);
      await heard.upTo(client, 'a');
      expect(heard.changes).toEqual(['1 0 0 SET before 1', '2 41 0 SET behind 1']);
      expect(heard.events.slice(0, 3)).toEqual(['applied 41 7', 'echoed SET in 0', 'echoed SET in 2']);
      expect(heard.source.seen).toEqual({ epoch: 1, sequence: 41 });
    });

    test('goes on at a position with the same changes under the same sequences', async () => {
      for (let i = 0; i < 100; i++) await client.rpush('list', i);
      await heard.upTo(client, 'a');
      const at = heard.batches[Math.floor(heard.batches.length / 2)]!;
      const next = at.first + at.changes;
      const again = await new Heard().begin(open, server(), at.position, next);
      try {
        await again.upTo(client, 'b');
        expect(again.changes).toEqual(heard.changes.slice(next - 1));
        await heard.upTo(client, 'c');
        await again.upTo(client, 'd');
        expect(again.source.nextSequence).toBe(heard.source.nextSequence);
      } finally {
        again.source.close();
      }
    });

    test('loses nothing while it is paused', async () => {
      const value = 'v'.repeat(1000);
      heard.source.pause();
      for (let i = 0; i < WRITES; i++) void client.set(`k${i}`, value);
      await client.ping();
      heard.source.resume();
      await heard.upTo(client, 'a');
      expect(heard.changes).toHaveLength(WRITES);
    });

    test('tells of databases that are emptied or swapped', async () => {
      await client.swapdb(0, 5);
      await client.swapdb(0, 5);
      await client.flushdb();
      await heard.upTo(client, 'a');
      expect(heard.events.filter((event) => event === 'swap' || event === 'flush')).toEqual([
        'swap',
        'swap',
        'flush',
      ]);
    });

    test('ends with the reason that it is closed with', async () => {
      const reason = new TandemError('STATE_LOST', 'the keys are gone');
      heard.source.close(reason);
      await until('the end', () => heard.ended !== undefined);
      expect(heard.ended).toBe(reason);
    });
  });
}
