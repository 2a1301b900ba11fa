import { Random } from './random.js';
import type { Argv } from './redis/store.js';
import type { QueueOutcome, QueueTrouble } from './queue-history.js';
import { Site } from './site.js';

/** How a sorted set is worked as a queue: one site only adds members, the other one only takes the lowest, and adds again what failed. */
export interface SortedQueueUse {
  /** How often it is known what a pop took, so that it is sent as the removal of that. */
  readonly known: number;
  /** Whether what failed is added again. */
  readonly retries?: boolean;
  /** Whether the producer's site has the smaller name. */
  readonly isProducerFirst?: boolean;
}

const ENOUGH = 5000;
const RETRIES = 0.15;

/** One history of a sorted set between two sites, until it is empty and both are quiet. */
export function sortedQueueHistory(
  seed: number,
  { known, retries = false, isProducerFirst = true }: SortedQueueUse,
  trouble: QueueTrouble,
): QueueOutcome {
  const random = new Random(seed);
  let wall = 1000;
  const [first, second] = [new Site('east', () => wall), new Site('west', () => wall)];
  const [producer, worker] = isProducerFirst ? [first, second] : [second, first];
  const sites = [producer, worker];
  const takes = new Map<string, number>();
  const due = new Map<string, number>();
  let serial = 0;

  const produce = (): void => {
    const member = `j${++serial}`;
    due.set(member, 1);
    producer.write(['ZADD', 'k', String(random.below(5)), member]);
  };
  const work = (): void => {
    const members = orderOf(worker);
    if (members.length === 0) return;
    const count = random.chance(0.2) ? 2 : 1;
    const taken = members.slice(0, count);
    const pop: Argv = random.chance(known) ? ['ZREM', 'k', ...taken] : ['ZPOPMIN', 'k', String(count)];
    worker.write(pop);
    for (const member of taken) {
      takes.set(member, (takes.get(member) ?? 0) + 1);
      if (!retries || !random.chance(RETRIES)) continue;
      due.set(member, (due.get(member) ?? 0) + 1);
      worker.write(['ZADD', 'k', String(random.below(5)), member]);
    }
  };
  const deliver = (to: Site, from: Site, canWrite: boolean): void => {
    const run = from.next(1 + random.below(3));
    if (run.length === 0) return;
    const decision = to.decide(run);
    if (trouble.lateWrites && random.chance(0.4)) {
      if (to === worker) work();
      else if (canWrite) produce();
    }
    to.apply(decision);
  };
  const step = (canWrite: boolean): void => {
    wall += random.below(4);
    const site = random.pick(sites);
    if (trouble.restarts && random.chance(0.03)) site.restart('forgets');
    if (trouble.states && canWrite && random.chance(0.04) && sites.every((one) => !one.isAsking('k')))
      site.ask('k');
    if (random.chance(0.5)) {
      if (site === worker) work();
      else if (canWrite) produce();
    } else deliver(site, site === producer ? worker : producer, canWrite);
  };

  for (let left = trouble.steps; left > 0; left--) step(true);
  let count = 0;
  while ((sites.some(({ out }) => out.length > 0) || orderOf(worker).length > 0) && ++count < ENOUGH)
    step(false);
  const wrong = [...due].find(([member, times]) => takes.get(member) !== times);
  const [here, there] = [producer.store.show(), worker.store.show()];
  const fault =
    count >= ENOUGH
      ? 'never quiet'
      : here !== there
        ? `diverged: ${here} ‖ ${there}`
        : wrong && `${wrong[0]} was taken ${takes.get(wrong[0]) ?? 0} times, not ${wrong[1]}`;
  return {
    fault: fault || undefined,
    needs: producer.counts.needs + worker.counts.needs,
    states: producer.counts.states + worker.counts.states,
  };
}

/** The members of the queue, in the order in which they are to be taken. */
function orderOf(site: Site): string[] {
  const set = site.store.read('k', 'zset');
  if (!set) return [];
  return [...set.cells]
    .toSorted(([a, scoreA], [b, scoreB]) => Number(scoreA) - Number(scoreB) || (a < b ? -1 : 1))
    .map(([member]) => member);
}
