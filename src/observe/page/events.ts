/** Server-sent events to the open status pages. */

import type { ServerResponse } from 'node:http';

/** Pages that are told at a time; a further one is refused. */
export const MAX_LISTENERS = 20;
/** A page that reads so much later than it is told is let go of; the browser comes back by itself. */
const MAX_UNREAD_BYTES = 1024 * 1024;

export class EventStream {
  readonly #listeners = new Set<ServerResponse>();

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Keeps a response open, and tells it of each event. False when there are too many. */
  add(response: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#listeners.size >= MAX_LISTENERS) return false;
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    response.write('retry: 1000\n\n');
    response.on('close', () => this.#listeners.delete(response));
    this.#listeners.add(response);
    return true;
  }

  send(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const response of this.#listeners) {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(text);
    }
  }

  close(): void {
    for (const response of this.#listeners) response.end();
    this.#listeners.clear();
  }
}
