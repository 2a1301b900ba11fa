import type { StartedTestContainer } from 'testcontainers';
import type { ServerRun } from './server.js';

/** One server in a container, its folder mounted and its port the same inside and outside. */
export class ContainerRun implements ServerRun {
  readonly pid = undefined;
  readonly #container: StartedTestContainer;
  #ended = false;

  private constructor(container: StartedTestContainer) {
    this.#container = container;
  }

  static async start(image: string, args: string[], dir: string, port: number): Promise<ContainerRun> {
    const { GenericContainer, Wait } = await import('testcontainers');
    const container = await new GenericContainer(image)
      .withCommand(['redis-server', ...args])
      .withBindMounts([{ source: dir, target: '/data' }])
      .withExposedPorts({ container: port, host: port })
      .withWaitStrategy(Wait.forListeningPorts())
      .start();
    return new ContainerRun(container);
  }

  output(): string {
    return '(see the logs of the container)';
  }

  ended(): boolean {
    return this.#ended;
  }

  async kill(): Promise<void> {
    await this.#remove((container) => container.kill({ signal: 'SIGKILL' }));
  }

  async halt(): Promise<void> {
    await this.#remove((container) => container.stop());
  }

  async pause(): Promise<void> {
    await (await this.#engineContainer()).pause();
  }

  async resume(): Promise<void> {
    await (await this.#engineContainer()).unpause();
  }

  async #remove(end: (container: EngineContainer) => Promise<unknown>): Promise<void> {
    this.#ended = true;
    await end(await this.#engineContainer());
    await this.#container.stop({ timeout: 0 });
  }

  async #engineContainer(): Promise<EngineContainer> {
    const { getContainerRuntimeClient } = await import('testcontainers');
    return (await getContainerRuntimeClient()).container.getById(this.#container.getId());
  }
}

/** What is used of the engine's own handle of a container. */
interface EngineContainer {
  kill(options: { signal: string }): Promise<unknown>;
  stop(): Promise<unknown>;
  pause(): Promise<unknown>;
  unpause(): Promise<unknown>;
}
