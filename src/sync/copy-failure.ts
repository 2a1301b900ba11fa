import { passesByItself, TandemError } from '../errors.js';

/** Why the first copy has ended without being done: until it is begun anew nothing copies what the site held. */
export class CopyFailure {
  #code: string | undefined;

  /** The code of the error; undefined while there is none. */
  get code(): string | undefined {
    return this.#code;
  }

  /** An attempt at the copy. */
  async of<T>(attempt: Promise<T>): Promise<T> {
    try {
      const result = await attempt;
      this.#code = undefined;
      return result;
    } catch (error) {
      // What passes by itself is tried again.
      if (error instanceof TandemError && !passesByItself(error)) this.#code = error.code;
      throw error;
    }
  }
}
