import { expect, test } from 'vitest';
import type { BatchPlan } from '../../../src/conflicts/plan-batch.js';
import { ANSWER } from '../../../src/protocol/messages/answer.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import type { Conflict } from '../../../src/conflicts/resolved.js';
import { Random } from '../../support/model/random.js';
import { randomLine, StringSite, type Told } from '../../support/string-site.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const HISTORIES = 30;
const STEPS = 60;
const LONG = { timeout: 120_000 };

/** All that a plan sends, and what it rests on. */
function sent({
  payload,
  commands,
  origins,
  gathered,
  epilogue,
  kept,
  decided,
  flushes,
}: BatchPlan): unknown {
  return {
    payload: Buffer.concat(payload).toString(),
    epilogue: epilogue.map(({ bytes, purpose }) => [purpose, bytes.toString()]),
    kept: kept?.toString(),
    commands,
    origins,
    gathered,
    decided,
    flushes,
  };
}

function met({ command, key, outcome }: Conflict): unknown {
  return [command, key.toString(), outcome];
}

test(
  `a batch that is decided several times comes to the same as one that is decided once, in ${HISTORIES} histories`,
  LONG,
  async () => {
    for (let history = 0; history < HISTORIES; history++) {
      const random = new Random(SEED + history);
      const [once, often] = [new StringSite(true), new StringSite(true)];
      const did: string[] = [];
      let [ownTime, theirTime, seen, first] = [0, 0, 0, 1];
      for (let now = 20; now < 20 + STEPS; now++) {
        if (random.chance(0.5)) {
          ownTime = Math.max(ownTime, now - random.below(12));
          const line = randomLine(random, now);
          did.push(`own at ${ownTime}: ${line}`);
          for (const site of [once, often]) site.write(line, ownTime);
          continue;
        }
        theirTime = Math.max(theirTime, now - random.below(12));
        seen += random.chance(0.3) ? random.below(once.written - seen + 1) : 0;
        const lines = Array.from({ length: 1 + random.below(3) }, () => randomLine(random, now));
        if (random.chance(0.05)) lines.push('FLUSHALL');
        const told: Told = { epoch: 1, first, timestamp: theirTime, seen };
        first += lines.length;
        did.push(`theirs at ${theirTime}, seen ${seen}: ${lines.join('; ')}`);
        const story = `seed ${SEED + history}\n${did.join('\n')}`;
        await once.apply(told, ...lines);
        // A decision notes on which keys it builds, so that the next one looks them up: another way to the same.
        await often.decide(told, lines);
        const plan = sent(await often.decide(told, lines));
        expect(sent(await often.decide(told, lines)), story).toEqual(plan);
        expect(often.conflicts, story).toEqual([]);
        expect(sent(await often.apply(told, ...lines)), story).toEqual(plan);
        expect(Object.fromEntries(often.data), story).toEqual(Object.fromEntries(once.data));
        expect(often.conflicts.map(met), story).toEqual(once.conflicts.map(met));
        for (const site of [once, often]) site.conflicts.length = 0;
      }
    }
  },
);

test('an answer is handed on once, when its batch is applied', async () => {
  const site = new StringSite(true);
  const told = { epoch: 1, first: 1, timestamp: 5, seen: 0 };
  const answer = encodeCommand([ANSWER, 'a1', 7, 40, '-']);
  for (let times = 0; times < 3; times++) await site.decide(told, [answer]);
  expect(site.answers).toEqual([]);
  await site.apply(told, answer);
  expect(site.answers.map(([name]) => String(name))).toEqual(['TANDEM.ANSWER']);
});
