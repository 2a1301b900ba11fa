/** Tells with which commands of a batch a change ends. To be asked about each command, in order. */
export class ChangeEnds {
  readonly #groupEnds = new Map<number, number>();
  #groupEnd = 0;

  /** @param groups of the batch: pairs of first command and number of commands */
  constructor(groups: readonly number[]) {
    for (let at = 0; at + 1 < groups.length; at += 2)
      this.#groupEnds.set(groups[at]!, groups[at]! + groups[at + 1]!);
  }

  /** @param isSelect whether the command selects a database: by itself that is no change */
  isEnd(index: number, isSelect: boolean): boolean {
    this.#groupEnd = this.#groupEnds.get(index) ?? this.#groupEnd;
    return index + 1 === this.#groupEnd || (!isSelect && index >= this.#groupEnd);
  }

  /** Whether the command asked about last stands between changes, and not in a transaction. */
  isOutside(index: number): boolean {
    return index >= this.#groupEnd;
  }
}
