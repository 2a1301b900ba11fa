import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { CommandReader } from '../../src/redis-commands/command-reader.js';
import type { TestServer } from '../support/server.js';

/** Recognizes a command in the bytes a process sends to a server. */
export type Step = (args: readonly Buffer[]) => boolean;

/**
 * Where the blow falls: the command never gets to the server; it gets there and its reply does not come back; or the reply is back.
 */
export const MOMENTS = ['before it', 'before its reply', 'after its reply'] as const;
export type Moment = (typeof MOMENTS)[number];

/** After the reply a process gets this long to begin with what it does next. */
const NEXT_STEP_MS = 3;

/** First byte of a TLS connection: a process whose connection broke while it checked a server asks whether that speaks TLS. */
const TLS_HANDSHAKE = 0x16;

interface Trap {
  step: Step;
  moment: Moment;
  /** Commands that match and are let through first. */
  skip: number;
  /** Whether the connection goes on afterwards: replies still come, and what is held back is let go. */
  isPause?: boolean;
  act: () => void;
  struck: () => void;
}

/**
 * Stands between a process and one server, reads the commands that pass, and at a chosen one does something: so a test can kill
 * a process, or cut its network, between any two of its steps, without a hook in the program.
 */
export class StepProxy {
  readonly #server: Server;
  readonly #links = new Set<StepLink>();
  #target: { host: string; port: number } | undefined;
  #trap: Trap | undefined;

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  static async start(): Promise<StepProxy> {
    const proxy = new StepProxy();
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The URL at which the server is reached through this proxy. */
  urlTo(server: TestServer): string {
    this.#target = { host: server.host, port: server.port };
    const url = new URL(server.url);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Resolves when `act` was called: at the command after the next `skip` that match. */
  strike(trap: { step: Step; moment: Moment; skip?: number; act: () => void }): Promise<void> {
    return new Promise((resolve) => {
      this.#trap = { skip: 0, ...trap, struck: resolve };
    });
  }

  /**
   * Holds back the next command that matches and all behind it on its connection, while replies to what went before still come.
   * Resolves when one is held, with the function that lets it go.
   */
  async hold(step: Step): Promise<() => void> {
    let goOn = (): void => {};
    await new Promise<void>((struck) => {
      const act = (): void => {
        const holding = [...this.#links].filter((link) => link.holdsBack);
        goOn = () => {
          for (const link of holding) link.goOn();
        };
      };
      this.#trap = { step, moment: 'before it', skip: 0, isPause: true, act, struck };
    });
    return goOn;
  }

  /** Forgets a blow that has not fallen. */
  disarm(): void {
    this.#trap = undefined;
  }

  /** Breaks every connection on the process's side; what was passed on gets to the server all the same. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /**
   * As `cut`, but the command that was just held back is still on its way: it gets to the server when the function returned is
   * called, as after a long detour.
   */
  cutAndHold(): () => void {
    const holding = [...this.#links].filter((link) => link.holdsBack);
    for (const link of this.#links) link.cut({ keepFar: link.holdsBack });
    return () => {
      for (const link of holding) link.release();
    };
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    if (!this.#target) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true });
    const link = new StepLink(near, far, {
      find: (args) => this.#find(args),
      onEnd: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }

  /** The trap, when this command is the one. */
  #find(args: readonly Buffer[]): Trap | undefined {
    const trap = this.#trap;
    if (!trap || !trap.step(args)) return undefined;
    if (trap.skip > 0) {
      trap.skip--;
      return undefined;
    }
    this.#trap = undefined;
    return trap;
  }
}

interface LinkHooks {
  find: (args: readonly Buffer[]) => Trap | undefined;
  onEnd: () => void;
}

class StepLink {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #hooks: LinkHooks;
  readonly #reader = new CommandReader();
  readonly #replies = new ReplyCounter();
  #sent = 0;
  /** The command at which the blow fell, held back, and all behind it. */
  #held: Buffer[] | undefined;
  /** Whether nothing passes any more, in either direction. */
  #mute = false;
  /** Whether this connection asks for TLS: no command ever comes. */
  #isTls: boolean | undefined;
  /** Whether the server's side outlives the process's. */
  #isKept = false;
  /** The reply after which the blow falls. */
  #awaited: { reply: number; trap: Trap } | undefined;

  constructor(near: Socket, far: Socket, hooks: LinkHooks) {
    this.#near = near;
    this.#far = far;
    this.#hooks = hooks;
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', () => undefined);
    near.on('data', (chunk: Buffer) => this.#fromProcess(chunk));
    far.on('data', (chunk: Buffer) => this.#fromServer(chunk));
    near.on('close', () => {
      if (!this.#isKept) far.end();
    });
    far.on('end', () => near.end());
    far.on('close', () => {
      near.destroy();
      hooks.onEnd();
    });
  }

  get holdsBack(): boolean {
    return this.#held !== undefined;
  }

  cut({ keepFar = false }: { keepFar?: boolean } = {}): void {
    this.#isKept = keepFar;
    this.#near.resetAndDestroy();
    if (!keepFar) this.#far.end();
  }

  /** What was held back goes its way after all. */
  release(): void {
    for (const bytes of this.#held ?? []) this.#far.write(bytes);
    this.#held = undefined;
    this.#far.end();
  }

  /** What was held back goes on as if nothing had been. */
  goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const bytes of held) {
      this.#far.write(bytes);
      this.#sent++;
    }
  }

  destroy(): void {
    this.#near.destroy();
    this.#far.destroy();
    this.#hooks.onEnd();
  }

  #fromProcess(chunk: Buffer): void {
    this.#isTls ??= chunk[0] === TLS_HANDSHAKE;
    if (this.#isTls) {
      this.#far.write(chunk);
      return;
    }
    this.#reader.push(chunk);
    while (this.#reader.next()) {
      const { buffer, start, end } = this.#reader;
      // The reader's buffer may grow and move: what is sent later must be a copy.
      const bytes = Buffer.from(buffer.subarray(start, end));
      if (this.#held) this.#held.push(bytes);
      else if (!this.#mute) this.#command(this.#reader.arguments(), bytes);
    }
  }

  #command(args: readonly Buffer[], bytes: Buffer): void {
    const trap = this.#hooks.find(args);
    if (trap?.moment === 'before it') {
      this.#held = [bytes];
      this.#mute = !trap.isPause;
      this.#blow(trap);
      return;
    }
    this.#far.write(bytes);
    this.#sent += String(args[1]).toUpperCase() === 'ACK' ? 0 : 1;
    if (!trap) return;
    if (trap.moment === 'before its reply') {
      this.#mute = true;
      this.#blow(trap);
    } else this.#awaited = { reply: this.#sent, trap };
  }

  #fromServer(chunk: Buffer): void {
    if (this.#mute) return;
    this.#near.write(chunk);
    const awaited = this.#awaited;
    if (this.#replies.count < this.#sent || awaited) this.#replies.push(chunk);
    if (!awaited || this.#replies.count < awaited.reply) return;
    this.#awaited = undefined;
    setTimeout(() => this.#blow(awaited.trap), NEXT_STEP_MS);
  }

  #blow(trap: Trap): void {
    trap.act();
    trap.struck();
  }
}

/** Counts the replies (RESP2) in a stream of bytes. After the answer to PSYNC there are none. */
class ReplyCounter {
  count = 0;
  #rest: Buffer = Buffer.alloc(0);
  /** Values still to come before the reply is whole. */
  #open = 1;

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const end = this.#valueEnd(at);
      if (end < 0) break;
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
  }

  /** End of the value that begins at `at`, an array's header being a value of its own; -1 when it is not there yet. */
  #valueEnd(at: number): number {
    const line = this.#rest.indexOf('\r\n', at);
    if (line < 0) return -1;
    const type = String.fromCharCode(this.#rest[at]!);
    const size = Number(this.#rest.toString('latin1', at + 1, line));
    let end = line + 2;
    if (type === '$' && size >= 0) end += size + 2;
    if (end > this.#rest.length) return -1;
    if (type === '*' && size > 0) this.#open += size;
    this.#open--;
    if (this.#open === 0) {
      this.count++;
      this.#open = 1;
    }
    return end;
  }
}
