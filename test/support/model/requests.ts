import { type Lack, type Write, isWorse } from './rules/write.js';

/** What a site of the model asks the other one for: what it will at the end of the step, and what is open. */
export class Requests {
  readonly #own: () => readonly Write[];
  /** What to ask for at the end of the step, and what the value here lacks. */
  readonly #needs = new Map<string, Lack>();

  /** @param local own writes, requests among them, that the other site is not known to have seen */
  constructor(own: () => readonly Write[]) {
    this.#own = own;
  }

  has(key: string): boolean {
    return this.#needs.has(key);
  }

  need(key: string, lack: Lack = 'nothing'): void {
    const before = this.#needs.get(key);
    if (before === undefined || isWorse(lack, before)) this.#needs.set(key, lack);
  }

  take(): [string, Lack][] {
    const needs = [...this.#needs];
    this.#needs.clear();
    return needs;
  }

  /** Whether an open request says that writes of the other site's are left out here. */
  leavesOut(key: string): boolean {
    const isOpen = this.#own().some((own) => own.kind === 'need' && own.key === key && own.lack === 'writes');
    return isOpen || this.#needs.get(key) === 'writes';
  }

  /** What this site's value of a key is known to lack, as it has asked for it and not yet heard. */
  lackOf(key: string): Lack {
    let worst = this.#needs.get(key) ?? 'nothing';
    for (const own of this.#own())
      if (own.kind === 'need' && own.key === key && isWorse(own.lack, worst)) worst = own.lack;
    return worst;
  }

  /** Whether its value lacks something, so that its own state ranks lowest. */
  isLacking(key: string): boolean {
    return isWorse(this.lackOf(key), 'removals');
  }
}
