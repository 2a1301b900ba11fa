/** Keys that the peer is asked for because of late writes. Until it has seen the request, its answer is on the way. */

/** Keys remembered. */
const MAX_ASKED = 100_000;

interface Request {
  readonly sequence: number;
  /** Whether it says that the value here may lack something. */
  readonly isLacking: boolean;
}

export class AskedKeys {
  /** By database and name. */
  readonly #asked = new Map<string, Request>();

  /** Whether a request that says that the value here may lack something is on its way. @param seen as below */
  isOpen(name: string, seen: number): boolean {
    const asked = this.#asked.get(name);
    return asked !== undefined && asked.sequence > seen && asked.isLacking;
  }

  /**
   * Notes a request for a key, and tells whether it is to be made. One that is on its way is enough where it says as much: this value
   * would otherwise answer a request of the peer's with what it lacks.
   * @param seen the last local sequence that the peer has seen
   */
  ask(name: string, request: Request, seen: number): boolean {
    const asked = this.#asked.get(name);
    if (asked && asked.sequence > seen && (asked.isLacking || !request.isLacking)) return false;
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.set(name, request);
    return true;
  }
}
