import type { TandemError } from '../../errors.js';
import type { Position } from '../../protocol/position.js';
import type { Capture } from '../capture.js';
import type { CaptureCounts } from '../capture-options.js';
import type { ChangeSource, Reading } from '../change-source.js';
import type { ReplicationStream } from './replication-stream.js';

/** The changes that stand in a server's replication stream. */
export class PsyncSource implements ChangeSource {
  readonly #stream: ReplicationStream;
  readonly #capture: Capture;

  /** @param capture begins where the stream does */
  constructor(stream: ReplicationStream, capture: Capture) {
    this.#stream = stream;
    this.#capture = capture;
  }

  get counts(): Readonly<CaptureCounts> {
    return this.#capture.counts;
  }

  get position(): Position {
    return this.#capture.position;
  }

  get seen(): { readonly epoch: number; readonly sequence: number } {
    return this.#capture.seen;
  }

  get nextSequence(): number {
    return this.#capture.nextSequence;
  }

  get gathered(): number {
    return this.#capture.gathered;
  }

  cut(): void {
    this.#capture.cut();
  }

  run(reading: Reading): Promise<void> {
    return this.#stream.run((reader) => {
      reading.begins();
      this.#capture.read(reader);
      reading.ends();
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(reason?: TandemError): void {
    this.#stream.close(reason);
  }
}
