/**
 * Elements to be put into a list, gathered from one push after another. An element that goes behind many local ones costs the server
 * as much as those. So all that goes to one place goes there at once.
 */

import type { Argument } from '../redis-commands/encode-command.js';
import type { Insert } from './rules/rule-context.js';

export class ListInserts {
  /** By rising index; each index counts the elements of those before it. */
  readonly #inserts: { at: number; values: readonly Argument[] }[] = [];
  #count = 0;

  /** How many elements there are. */
  get count(): number {
    return this.#count;
  }

  /** @param insert its index counts all that was added before */
  add({ at, values }: Insert): void {
    this.#count += values.length;
    const place = this.#inserts.findIndex((one) => at <= one.at + one.values.length);
    const next = place < 0 ? undefined : this.#inserts[place]!;
    let later = place < 0 ? this.#inserts.length : place + 1;
    if (next && at >= next.at) {
      const [before, behind] = [next.values.slice(0, at - next.at), next.values.slice(at - next.at)];
      next.values = [...before, ...values, ...behind];
    } else {
      later = place < 0 ? this.#inserts.length : place;
      this.#inserts.splice(later, 0, { at, values });
      later++;
    }
    for (; later < this.#inserts.length; later++) this.#inserts[later]!.at += values.length;
  }

  /** The arguments of `splice-list.lua`. */
  get edits(): Argument[] {
    return this.#inserts.flatMap(({ at, values }) => ['insert', at, values.length, ...values]);
  }
}
