import type { Mix } from './mixes.js';
import { Ledger, contents } from './ledger.js';
import { Random } from './random.js';
import type { Decision, Restart } from './decision.js';
import { Site } from './site.js';
import { TEMPLATES } from './templates.js';

/** What may happen in a history beside writes and deliveries. */
export interface Trouble {
  readonly transactions: boolean;
  readonly lateWrites: boolean;
  readonly restarts: Restart | undefined;
  /** Most changes in one atomic run. */
  readonly runLength: number;
  /** Writes and deliveries before the sites fall quiet. */
  readonly steps?: number;
}

export const CALM: Trouble = { transactions: false, lateWrites: false, restarts: undefined, runLength: 1 };
export const ROUGH: Trouble = { transactions: true, lateWrites: true, restarts: 'remembers', runLength: 4 };
export const FORGETFUL: Trouble = { ...ROUGH, restarts: 'forgets' };

const ENOUGH = 3000;

/**
 * One random history of two sites until both are quiet.
 * @returns what went wrong, or undefined
 */
export function history(
  seed: number,
  mix: Mix,
  trouble: Trouble,
  trace?: (line: string) => void,
): string | undefined {
  const random = new Random(seed);
  let wall = 1000;
  const skew = random.below(60) - 30;
  const east = new Site('east', () => wall);
  const west = new Site('west', () => wall + skew);
  const sites = [east, west];
  const ledger = new Ledger(trouble);
  let serial = 0;
  // Which way is cut, if any.
  let cut: Site | undefined;

  const write = (site: Site): boolean => {
    const count = trouble.transactions && random.chance(0.25) ? 2 + random.below(2) : 1;
    const present = [...contents(site.store.get('k'))];
    const commands = Array.from({ length: count }, () => {
      serial++;
      return TEMPLATES[random.pick(mix.commands)]({
        random,
        key: random.pick(mix.keys),
        unique: `${site.name[0]}${serial}`,
        serial,
        present,
      });
    });
    const before = trace && site.store.show();
    ledger.before(site);
    const effective = site.write(...commands);
    ledger.note(site, effective);
    if (effective.length > 0)
      trace?.(
        `${site.name} writes ${effective.map((argv) => argv.join(' ')).join('; ')} as ${site.n}, seen ${site.seen}: ${before} → ${site.store.show()}`,
      );
    return effective.length > 0;
  };
  const deliver = (to: Site, from: Site, canWrite: boolean): void => {
    const run = from.next(1 + random.below(trouble.runLength));
    const decision: Decision = to.decide(run);
    if (canWrite && trouble.lateWrites && random.chance(0.3) && write(to)) ledger.noteLate(to);
    const [before, n] = [trace && to.store.show(), to.n];
    to.apply(decision);
    ledger.see(to);
    trace?.(
      `${to.name} applies ${describe(decision)}: ${before} → ${to.store.show()}${to.n > n ? ' and sends state' : ''}`,
    );
  };
  const step = (canWrite: boolean): void => {
    wall += random.below(4);
    if (random.chance(0.1)) cut = canWrite ? random.pick([undefined, undefined, east, west]) : undefined;
    const to = random.pick(sites);
    const from = to === east ? west : east;
    if (trouble.restarts && random.chance(0.05)) to.restart(trouble.restarts);
    if (canWrite && random.chance(0.55)) write(to);
    else if (from.out.length > 0 && cut !== from) deliver(to, from, canWrite);
  };

  for (let left = trouble.steps ?? 3 + random.below(20); left > 0; left--) step(true);
  for (let count = 0; sites.some(({ out, isOverwritten }) => out.length > 0 || isOverwritten); count++) {
    if (count > ENOUGH) return 'never quiet';
    if (random.chance(0.1)) random.pick(sites).putBack();
    step(false);
  }
  if (east.store.show() !== west.store.show())
    return `diverged: east ${east.store.show()} ‖ west ${west.store.show()}`;
  return mix.promise && ledger.broken(mix.promise, east.store.get('k'));
}

function describe({ run, decided }: Decision): string {
  const changes = run.map(({ n, seen, writes }) => {
    const commands = writes.map((each) =>
      each.kind === 'user'
        ? each.unit.argv.join(' ')
        : `${each.kind} ${each.key}${each.kind === 'state' ? ` rank ${each.rank.at} ${each.rank.site} since ${each.since}` : ''}`,
    );
    return `${n} (seen ${seen}, at ${run[0]!.at}) ${commands.join('; ')}`;
  });
  return `${changes.join(', ')}, decided at ${decided}`;
}
