/**
 * What a server says on a new connection that ioredis does not pass on: it loses an error that answers no command, and answers a needless
 * password with a line on the console.
 */

import type { Redis } from 'ioredis';
import { refusalOf } from './refusal.js';

/** How each client was turned away at its newest connection: all that ioredis says then is that the connection is closed. */
const refusals = new WeakMap<Redis, Error>();

/** Before they close the connection servers say why, whatever they are asked. */
const TURNED_AWAY = /^-((?:DENIED|ERR max number of clients)[^\r\n]*)/;

/** To be called once for a client, before it connects. */
export function listenForFirstWords(client: Redis, where: () => string): void {
  client.on('connect', () => {
    refusals.delete(client);
    client.stream.once('data', (chunk: Buffer) => {
      const reply = TURNED_AWAY.exec(chunk.toString('latin1', 0, MAX_REPLY_BYTES))?.[1];
      if (reply !== undefined) refusals.set(client, Object.assign(new Error(reply), { name: 'ReplyError' }));
    });
  });
  const auth = client.auth.bind(client) as (...args: unknown[]) => Promise<'OK'>;
  client.auth = async (...args: unknown[]) => {
    try {
      return await auth(...args);
    } catch (error) {
      throw refusalOf(error, where());
    }
  };
}

/** Why the server turned the client away when it last connected, as an error reply; nothing: it did not. */
export function turnedAway(client: Redis): Error | undefined {
  return refusals.get(client);
}

/** Beyond this an error reply is not read. */
const MAX_REPLY_BYTES = 200;
