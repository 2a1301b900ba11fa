import { Random } from './random.js';
import type { Argv } from './redis/store.js';
import { Site } from './site.js';

/** How a queue is worked: one site only fills it, the other one only takes from it, and puts back what failed. */
export interface QueueUse {
  /** How the producer adds. */
  readonly push: 'LPUSH' | 'RPUSH';
  /** How the worker takes: the end, one at a time or several, or with a second list for what is being worked at. */
  readonly take: 'pop' | 'pop counted' | 'pop as many as there are' | 'move';
  /** From which end: the other one makes a queue, the same one a stack. */
  readonly from: 'LEFT' | 'RIGHT';
  /** Where an element goes whose work failed, if any does. */
  readonly retry?: 'LPUSH' | 'RPUSH';
  /** Whether the producer's site has the smaller name. */
  readonly isProducerFirst?: boolean;
}

/** What happens beside it. */
export interface QueueTrouble {
  readonly lateWrites: boolean;
  readonly restarts: boolean;
  /** Requests for the list and states of it that nothing called for: of a repair, or of what another key of a batch needed. */
  readonly states: boolean;
  readonly steps: number;
}

/** What came of it: what went wrong, if anything, and what was asked for and sent. */
export interface QueueOutcome {
  readonly fault: string | undefined;
  readonly needs: number;
  readonly states: number;
}

const ENOUGH = 5000;
const RETRIES = 0.15;

/** One history of a queue between two sites, until it is empty and both are quiet. */
export function queueHistory(
  seed: number,
  use: QueueUse,
  trouble: QueueTrouble,
  trace?: (line: string) => void,
): QueueOutcome {
  const random = new Random(seed);
  let wall = 1000;
  const [first, second] = [new Site('east', () => wall), new Site('west', () => wall)];
  const [producer, worker] = use.isProducerFirst === false ? [second, first] : [first, second];
  const sites = [producer, worker];
  const takes = new Map<string, number>();
  const due = new Map<string, number>();
  const order: string[] = [];
  let serial = 0;

  const note = (site: Site, before: string, commands: readonly Argv[]): void =>
    trace?.(
      `${site.name} writes ${commands.map((one) => one.join(' ')).join('; ')}: ${before} → ${site.store.show()}`,
    );
  const write = (site: Site, ...commands: readonly Argv[]): void => {
    const before = site.store.show();
    site.write(...commands);
    note(site, before, commands);
  };
  const produce = (): void => {
    const added = Array.from({ length: random.chance(0.2) ? 2 : 1 }, () => `j${++serial}`);
    for (const element of added) due.set(element, 1);
    write(producer, [use.push, 'k', ...added]);
  };
  const taken = (element: string): Argv[] => {
    takes.set(element, (takes.get(element) ?? 0) + 1);
    order.push(element);
    if (!use.retry || !random.chance(RETRIES)) return [];
    due.set(element, (due.get(element) ?? 0) + 1);
    return [[use.retry, 'k', element]];
  };
  const work = (): void => {
    const active = elementsOf(worker, 'l');
    if (active.length > 0 && random.chance(0.6)) {
      const again = taken(active.at(-1)!);
      write(worker, ['LREM', 'l', '1', active.at(-1)!], ...again);
      return;
    }
    const list = elementsOf(worker, 'k');
    if (list.length === 0) return;
    if (use.take === 'move') {
      write(worker, ['LMOVE', 'k', 'l', use.from, 'LEFT']);
      return;
    }
    const asked = use.take === 'pop' ? 1 : 1 + random.below(3);
    const count = use.take === 'pop as many as there are' ? asked : Math.min(asked, list.length);
    const got = use.from === 'LEFT' ? list.slice(0, count) : list.slice(-count).toReversed();
    write(worker, [
      use.from === 'LEFT' ? 'LPOP' : 'RPOP',
      'k',
      ...(use.take === 'pop' ? [] : [String(count)]),
    ]);
    for (const element of got) for (const again of taken(element)) write(worker, again);
  };
  const deliver = (to: Site, from: Site, canWrite: boolean): void => {
    const run = from.next(1 + random.below(3));
    if (run.length === 0) return;
    const decision = to.decide(run);
    if (trouble.lateWrites && random.chance(0.4)) {
      if (to === worker) work();
      else if (canWrite) produce();
    }
    const before = to.store.show();
    to.apply(decision);
    trace?.(
      `${to.name} applies ${run.map(({ n, seen, writes }) => `${n} (seen ${seen}) ${writes.map((one) => (one.kind === 'user' ? one.unit.argv.join(' ') : `${one.kind} ${one.key}`)).join('; ')}`).join(', ')} decided at ${decision.decided}: ${before} → ${to.store.show()}`,
    );
  };
  const step = (canWrite: boolean): void => {
    wall += random.below(4);
    const site = random.pick(sites);
    if (trouble.restarts && random.chance(0.03)) site.restart('forgets');
    const doubted = random.chance(0.7) ? 'k' : 'l';
    // Nobody asks twice, nor for what is being asked for.
    if (trouble.states && canWrite && random.chance(0.04) && sites.every((one) => !one.isAsking(doubted)))
      site.ask(doubted);
    if (random.chance(0.5)) {
      if (site === worker) work();
      else if (canWrite) produce();
    } else deliver(site, site === producer ? worker : producer, canWrite);
  };

  for (let left = trouble.steps; left > 0; left--) step(true);
  const isOpen = (): boolean =>
    sites.some(({ out }) => out.length > 0) ||
    elementsOf(worker, 'k').length + elementsOf(worker, 'l').length > 0;
  let count = 0;
  while (isOpen() && ++count < ENOUGH) step(false);
  const counts = {
    needs: producer.counts.needs + worker.counts.needs,
    states: producer.counts.states + worker.counts.states,
  };
  return {
    fault: count >= ENOUGH ? 'never quiet' : faultOf({ producer, worker, use, takes, due, order }),
    ...counts,
  };
}

function faultOf({
  producer,
  worker,
  use,
  takes,
  due,
  order,
}: {
  producer: Site;
  worker: Site;
  use: QueueUse;
  takes: ReadonlyMap<string, number>;
  due: ReadonlyMap<string, number>;
  order: readonly string[];
}): string | undefined {
  if (producer.store.show() !== worker.store.show())
    return `diverged: ${producer.store.show()} ‖ ${worker.store.show()}`;
  for (const [element, times] of due) {
    const found = takes.get(element) ?? 0;
    if (found !== times) return `${element} was taken ${found} times, not ${times}`;
  }
  const isQueue = (use.push === 'LPUSH') === (use.from === 'RIGHT') && use.take !== 'move' && !use.retry;
  const numbers = order.map((element) => Number(element.slice(1)));
  const late = numbers.findIndex((number, at) => at > 0 && number < numbers[at - 1]!);
  return isQueue && late > 0 ? `j${numbers[late]} came after j${numbers[late - 1]}` : undefined;
}

function elementsOf(site: Site, key: string): readonly string[] {
  const list = site.store.read(key, 'list');
  return list ? list.elements : [];
}
