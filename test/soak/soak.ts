import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownKeys, statusOf } from '../e2e/observe.js';
import { Random } from '../support/model/random.js';
import { FAULTS } from './faults.js';
import { type Injected, Phase } from './phase.js';
import { summary } from './report.js';
import { Scene } from './scene.js';

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Names of faults; all without it. */
  readonly only?: readonly string[];
  /** Where the logs of the processes are kept when something is wrong. */
  readonly logs?: string | undefined;
  readonly say: (text: string) => void;
}

const FAULTS_A_PHASE = 5;
/** What a process may have at the end beyond the most it had after the first phases. */
const GROWTH_BYTES = 80 * 1024 * 1024;

/** Both sites are written all the time while one fault follows the other. Throws at the first phase that does not end well. */
export async function soak({ seconds, seed, only, logs, say }: SoakOptions): Promise<void> {
  const names = only ?? Object.keys(FAULTS);
  const unknown = names.filter((name) => FAULTS[name] === undefined);
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}`);
  const random = new Random(seed);
  const scene = await Scene.start(random);
  const injected: Injected[] = [];
  const memory: number[] = [];
  let commands = 0;
  let phases = 0;
  let phase: Phase | undefined;
  const end = Date.now() + seconds * 1000;
  const queue = drawn(names, random);
  try {
    while (Date.now() < end) {
      phase = new Phase(scene, ++phases);
      await scene.recovery();
      for (let i = 0; i < FAULTS_A_PHASE && Date.now() < end; i++)
        injected.push(await phase.inject(queue.next().value));
      await phase.settle();
      commands += phase.commands;
      memory.push(...(await Promise.all(scene.sites.map(statusOf))).map(({ memoryBytes }) => memoryBytes));
      say(`ok ${phase.name}`);
    }
    expectFlat(memory);
  } catch (error) {
    if (logs !== undefined) await keepLogs(scene, logs);
    throw new Error(`seed ${seed}, in ${phase?.name}: ${String(error)}`, { cause: error });
  } finally {
    const mebibytes = memory.map((bytes) => Math.round(bytes / 2 ** 20));
    say(
      `${summary(injected)}\nseed ${seed}: ${injected.length} faults in ${phases} phases, ${commands} commands written\n` +
        `MiB of the processes after each phase: ${mebibytes.join(' ')}`,
    );
    await phase?.close();
    await scene.close();
  }
}

/** All of them in a random order, and again: in a short run none comes twice before another came once. */
function* drawn(names: readonly string[], random: Random): Generator<string, never> {
  for (;;) {
    const left = [...names];
    while (left.length > 0) yield left.splice(random.below(left.length), 1)[0]!;
  }
}

function expectFlat(memory: readonly number[]): void {
  const early = Math.max(...memory.slice(0, 4));
  const last = Math.max(...memory.slice(-2));
  if (last > early + GROWTH_BYTES) throw new Error(`memory grows: ${memory.join(', ')}`);
}

/** The logs, and the batch that stands first in each inbox: it may be what the link has stopped at. */
async function keepLogs(scene: Scene, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [index, each] of [...scene.sites, ...scene.others].entries()) {
    const lines = each.log.map((line) => JSON.stringify(line));
    writeFileSync(join(folder, `${index}.log`), lines.join('\n'));
  }
  for (const { name, redis } of scene.sites) {
    const batch = await redis.lindexBuffer(ownKeys().inbox, 0).catch(() => null);
    if (batch) writeFileSync(join(folder, `${name}.batch`), batch);
  }
}
