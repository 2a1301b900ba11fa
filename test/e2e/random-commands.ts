/** The model's random commands, for real servers. */

import type { Mix } from '../support/model/mixes.js';
import type { Random } from '../support/model/random.js';
import { TEMPLATES } from '../support/model/templates.js';
import type { Site } from '../support/pair.js';

/** Expiries of the templates are small numbers: here they must lie in the future. */
const FAR_MS = 4_102_444_800_000;

let serial = 1000;

/** A command of a mix, as a server takes it from a client, on keys with this prefix. */
export function randomCommand(
  mix: Mix,
  { random, site, prefix }: { random: Random; site: string; prefix: string },
): readonly string[] {
  const template = TEMPLATES[random.pick([...mix.commands])];
  const unique = `${site}${++serial}`;
  const words = template({ random, key: random.pick([...mix.keys]), unique, serial, present: ['a', 'b'] });
  return asTyped(words.map((word, at) => placed(word, at, prefix)));
}

function placed(word: string, at: number, prefix: string): string {
  if (at === 0) return word;
  if (/^[klm]$/.test(word)) return prefix + word;
  return /^900\d$/.test(word) ? String(FAR_MS + Number(word)) : word;
}

/** The templates have a command as it stands in a replication stream. */
function asTyped(words: readonly string[]): readonly string[] {
  const [name, key, group, consumer, id] = words as [string, string, string, string, string];
  if (name === 'XGROUP' && key === 'DESTROY') return words.slice(0, 4);
  return name === 'XCLAIM' ? [name, key, group, consumer, '0', id, 'FORCE'] : words;
}

/** Sends a command, or several as a transaction. What does not fit what is there has no effect: that is part of a history. */
export function send(site: Site, change: readonly (readonly string[])[]): Promise<unknown> {
  if (change.length > 1) return site.redis.multi(change.map((words) => ['call', ...words])).exec();
  const [[name, ...args]] = change as [[string, ...string[]]];
  return site.redis.call(name, ...args).catch(() => undefined);
}
