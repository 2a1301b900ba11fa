import { describe, expect, test } from 'vitest';
import { BatchPlanner, type BatchPlan } from '../../../src/conflicts/plan-batch.js';
import { scriptSource } from '../../../src/lua/scripts.js';
import type { DeliveredBatch } from '../../../src/protocol/batch.js';
import type { Assembled } from '../../../src/protocol/messages/part.js';
import { encodeNeed, LACK } from '../../../src/protocol/messages/state-request.js';
import { payloadCommands } from '../../../src/protocol/payload.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { noChanges, planning } from '../../support/planning.js';
import { KEYS } from '../capture/stream-story.js';

const NEVER = new AbortController().signal;
const HERE: Assembled = { id: 'a1-7', parts: 3, type: 'set', length: 9000 };

function batch(value = 'a1-7 3 set 9000'): DeliveredBatch {
  const state = encodeCommand(['TANDEM.STATE', 2, 'key', 0, 5, 'west', 0, -1, value, 'parts']);
  const payload = Buffer.concat([encodeCommand(['SELECT', 0]), state]);
  const counts = { epoch: 1, timestamp: 1, seenEpoch: 1, seen: 0, special: 1, first: 5, groups: [] };
  const lengths = { changes: 1, commands: 2, length: payload.length, plainLength: payload.length };
  return { pair: 'p', origin: 'west', ...counts, ...lengths, payload };
}

function planner(): BatchPlanner {
  const server = { writes: new Map(), names: new Set(['SELECT']) };
  const [captured, appended] = [{ capturedThrough: 7 }, noChanges(7)];
  return new BatchPlanner(planning(KEYS, server, { captured, appended }));
}

function decide(here: Assembled | undefined, value?: string): Promise<BatchPlan | undefined> {
  const look = { at: () => Promise.resolve([]), assembled: () => Promise.resolve(here), tries: 0 };
  return planner().decide(batch(value), NEVER, look);
}

/** The scripts that run, with the first of their keys. */
function scripts({ payload }: BatchPlan): string[] {
  return [...payloadCommands(Buffer.concat(payload))]
    .filter(({ name }) => name === 'EVAL')
    .map(({ args }) => {
      const names = (['place-assembled', 'drop-assembled'] as const).filter(
        (name) => scriptSource(name) === args[1]!.toString(),
      );
      return `${names.join()} ${args[3]!.toString()}`;
    });
}

const asking = encodeNeed({
  timestamp: 0,
  lack: LACK.nothing,
  keys: [{ database: 2, key: Buffer.from('key') }],
}).toString();

describe('a state whose value has come in parts', () => {
  test('is planned only when nothing else is on the way', async () => {
    expect(await planner().decide(batch(), NEVER)).toBeUndefined();
  });

  test('is put in its place where all parts are there', async () => {
    const plan = (await decide(HERE))!;
    expect(scripts(plan)).toEqual(['place-assembled key', `drop-assembled ${KEYS.assembly}`]);
    expect(plan.stated).toMatchObject([{ database: 2 }]);
    expect(plan.epilogue).toEqual([]);
  });

  test.each([
    ['nothing', undefined],
    ['another value', { ...HERE, id: 'a1-6' }],
    ['fewer parts', { ...HERE, parts: 2 }],
    ['a value of another type', { ...HERE, type: 'list' }],
    ['fewer elements', { ...HERE, length: 8999 }],
  ])('is asked for, as a repair asks, where there is %s', async (_, here) => {
    const plan = (await decide(here))!;
    expect(scripts(plan)).toEqual([`drop-assembled ${KEYS.assembly}`]);
    expect(plan.stated).toEqual([]);
    expect(plan.epilogue).toHaveLength(1);
    expect(plan.epilogue[0]!.bytes.toString()).toContain(asking);
  });

  test.each(['', 'a1-7', 'a1-7 3 set', 'a1-7 3 stream 9', 'a1-7 x set 9', 'A! 3 set 9', 'a1-7 3 set 9 9'])(
    'is refused when it names its value as "%s"',
    async (value) => {
      await expect(decide(HERE, value)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
    },
  );
});
