import { createServer, type AddressInfo, type Server, type Socket, connect } from 'node:net';
import { once } from 'node:events';

/** Beyond this a direction stops reading from its sender, as a full socket buffer would. */
const HELD_LIMIT_BYTES = 16 * 2 ** 20;

/** Where a proxy leads, and how it starts out. */
export interface ProxyOptions {
  port: number;
  host?: string;
  /** One way, in milliseconds: the round trip takes twice as long. */
  delayMs?: number;
  /** Per connection and direction. */
  bytesPerSecond?: number;
}

/** A TCP connection through the network between two regions, with its weather. */
export class Proxy {
  readonly host = '127.0.0.1';
  #target: { host: string; port: number };
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #weather: Weather;

  private constructor({ port, host = '127.0.0.1', delayMs = 0, bytesPerSecond = Infinity }: ProxyOptions) {
    this.#target = { host, port };
    this.#weather = { delayMs, bytesPerSecond, swallowing: false, refusing: false };
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on a port of its own in front of the given one. */
  static async start(options: ProxyOptions): Promise<Proxy> {
    const proxy = new Proxy(options);
    proxy.#server.listen(0, proxy.host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that have come from those who connect, on all connections, when they come. */
  onBytes: (bytes: number) => void = () => undefined;

  get connections(): number {
    return this.#links.size;
  }

  /** The same URL with the proxy's address in place of the server's. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = this.host;
    changed.port = String(this.port);
    return changed.href;
  }

  /** As a virtual address that is moved: new connections lead there, those that stand stay where they are. */
  lead({ port, host = '127.0.0.1' }: { port: number; host?: string }): void {
    this.#target = { host, port };
  }

  /** Delays what arrives from now on, each way. */
  delay(milliseconds: number): void {
    this.#weather.delayMs = milliseconds;
  }

  /** Limits each connection, each way. `Infinity` lifts the limit. */
  throttle(bytesPerSecond: number): void {
    this.#weather.bytesPerSecond = bytesPerSecond;
  }

  /** Resets every connection and every further attempt, until `resume`. */
  cut(): void {
    this.#weather.refusing = true;
    this.#resetAll();
  }

  /**
   * Half-open: connections stay up and new ones are accepted, but nothing arrives, not even the end of a connection,
   * until `resume` (which delivers it: TCP would have sent it again).
   */
  swallow(): void {
    this.#weather.swallowing = true;
  }

  /** Ends `cut` and `swallow`. With `reset`, connections that were half-open break instead of going on. */
  resume({ reset = false }: { reset?: boolean } = {}): void {
    this.#weather.refusing = false;
    this.#weather.swallowing = false;
    if (reset) this.#resetAll();
    for (const link of this.#links) link.flush();
  }

  /** Breaks the connections there are, and accepts new ones. */
  reset(): void {
    this.#resetAll();
  }

  async close(): Promise<void> {
    this.#weather.refusing = true;
    this.#resetAll();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    if (this.#weather.refusing) {
      near.resetAndDestroy();
      return;
    }
    near.on('data', (chunk: Buffer) => this.onBytes(chunk.length));
    const link = new Link(near, connect({ ...this.#target, allowHalfOpen: true }), this.#weather);
    this.#links.add(link);
    link.onEnd = () => this.#links.delete(link);
  }

  #resetAll(): void {
    for (const link of this.#links) link.reset();
  }
}

interface Weather {
  delayMs: number;
  bytesPerSecond: number;
  swallowing: boolean;
  refusing: boolean;
}

/** One connection through the proxy: two sockets, two directions. */
class Link {
  onEnd: () => void = () => undefined;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #directions: Direction[];

  constructor(near: Socket, far: Socket, weather: Weather) {
    this.#near = near;
    this.#far = far;
    this.#directions = [new Direction(near, far, weather), new Direction(far, near, weather)];
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.reset());
      socket.on('close', () => this.#endIfBothClosed());
    }
  }

  flush(): void {
    for (const direction of this.#directions) direction.flush();
  }

  reset(): void {
    for (const direction of this.#directions) direction.stop();
    for (const socket of [this.#near, this.#far]) {
      if (socket.destroyed) continue;
      // A reset would wait until the connection stands, which may be behind the end of the test.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
    this.onEnd();
  }

  #endIfBothClosed(): void {
    if (!this.#near.closed || !this.#far.closed) return;
    for (const direction of this.#directions) direction.stop();
    this.onEnd();
  }
}

/** Holds each chunk until it is due; `null` stands for the end of the stream. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: Weather;
  readonly #held: { dueAt: number; chunk: Buffer | null }[] = [];
  #heldBytes = 0;
  #lineFreeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, weather: Weather) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    from.on('data', (chunk: Buffer) => this.#hold(chunk));
    from.on('end', () => this.#hold(null));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  flush(): void {
    clearTimeout(this.#timer);
    for (let head = this.#held[0]; head && !this.#weather.swallowing; head = this.#held[0]) {
      const waitMs = head.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        return;
      }
      this.#held.shift();
      this.#send(head.chunk);
    }
  }

  #hold(chunk: Buffer | null): void {
    const { delayMs, bytesPerSecond } = this.#weather;
    const size = chunk?.length ?? 0;
    this.#lineFreeAt = Math.max(this.#lineFreeAt, performance.now()) + (size / bytesPerSecond) * 1000;
    this.#held.push({ dueAt: this.#lineFreeAt + delayMs, chunk });
    this.#heldBytes += size;
    if (this.#heldBytes > HELD_LIMIT_BYTES) this.#from.pause();
    this.flush();
  }

  #send(chunk: Buffer | null): void {
    if (chunk === null) {
      this.#to.end();
      return;
    }
    this.#to.write(chunk, () => {
      this.#heldBytes -= chunk.length;
      if (this.#heldBytes <= HELD_LIMIT_BYTES) this.#from.resume();
    });
  }
}
