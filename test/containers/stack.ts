import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import type { SiteStatus } from '../../src/observe/status.js';
import { freePort } from '../support/ports.js';
import type { LogLine } from '../support/tandem-process.js';

export const SITES = ['east', 'west'] as const;
export type SiteName = (typeof SITES)[number];
export type Service = `${SiteName}-${'redis' | 'tandem'}`;

/** How a command ended, and what it printed. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND_MS = 180_000;
const OUTPUT_BYTES = 64 * 2 ** 20;
/** What Compose 2.26 puts before each line, for a menu of its own. */
const ERASE_LINE = '\u001B[2K';
const RECONNECT_MS = 50;
/** A connection whose other end is gone without a word is given up after it. */
const SILENCE_MS = 2000;

/**
 * docker-compose.yml as it stands in a clean clone, with generated passwords. Only the published ports, the name of the image and of
 * the project are others, so that it runs beside another one; and the build has the network of the machine.
 */
export class Stack {
  readonly project = `tandem-test-${randomBytes(4).toString('hex')}`;
  readonly passwords: Readonly<Record<string, string>>;
  readonly #dir = mkdtempSync(join(tmpdir(), 'tandem-clone-'));
  readonly #ports: Readonly<Record<Service, number>>;
  readonly #clients = new Set<Redis>();

  private constructor(ports: Record<Service, number>) {
    this.#ports = ports;
    copyClone(this.#dir);
    const names = readFileSync(join(this.#dir, '.env.example'), 'utf8').matchAll(/^(\w+)=$/gm);
    this.passwords = Object.fromEntries(
      [...names].map(([, name = '']) => [name, randomBytes(24).toString('hex')]),
    );
    const env = Object.entries(this.passwords).map(([name, password]) => `${name}=${password}\n`);
    writeFileSync(join(this.#dir, '.env'), env.join(''));
    writeFileSync(join(this.#dir, 'beside.yml'), this.#beside());
  }

  static async create(): Promise<Stack> {
    const port = freePort;
    return new Stack({
      'east-redis': await port(),
      'west-redis': await port(),
      'east-tandem': await port(),
      'west-tandem': await port(),
    });
  }

  get image(): string {
    return this.project;
  }

  /** `docker compose …`. @throws an error with what it printed, if it fails */
  async compose(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run('compose', this.#composed(args));
    if (code !== 0) throw new Error(`docker compose ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** `docker …`. */
  docker(...args: string[]): Promise<Ran> {
    return this.#run(args[0]!, args.slice(1));
  }

  /** A program in the container of a service. */
  exec(service: Service, ...command: string[]): Promise<Ran> {
    return this.#run('compose', this.#composed(['exec', '-T', service, ...command]));
  }

  /** A client of a site's Redis, as an application from outside, that `down` disconnects. */
  redis(site: SiteName, account: { username?: string; password?: string } = this.application(site)): Redis {
    const client = new Redis({
      port: this.#ports[`${site}-redis`],
      host: '127.0.0.1',
      protocol: 2,
      retryStrategy: () => RECONNECT_MS,
      // What was sent on a connection that broke fails, and is not sent again.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      socketTimeout: SILENCE_MS,
      ...account,
    });
    client.on('error', () => undefined);
    this.#clients.add(client);
    return client;
  }

  application(site: SiteName): { username: string; password: string } {
    return { username: 'app', password: this.passwordOf(site, 'APP') };
  }

  passwordOf(site: SiteName, account: 'APP' | 'TANDEM' | 'PEER'): string {
    return this.passwords[`${site.toUpperCase()}_${account}_PASSWORD`]!;
  }

  /** Over the published HTTP port. */
  async status(site: SiteName): Promise<SiteStatus> {
    const url = `http://127.0.0.1:${this.#ports[`${site}-tandem`]}/status`;
    return (await (await fetch(url, { headers: { connection: 'close' } })).json()) as SiteStatus;
  }

  /** The log of a process, as `docker compose logs` shows it. */
  async log(service: Service): Promise<LogLine[]> {
    const text = await this.compose('logs', '--no-log-prefix', '--no-color', service);
    return text
      .replaceAll(ERASE_LINE, '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  async down(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.compose('down', '--volumes', '--remove-orphans', '--timeout', '5');
    await this.docker('rmi', '--force', this.image);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #composed(args: readonly string[]): string[] {
    return [
      '--ansi',
      'never',
      '--project-name',
      this.project,
      '--file',
      'docker-compose.yml',
      '--file',
      'beside.yml',
      ...args,
    ];
  }

  #run(command: string, args: readonly string[]): Promise<Ran> {
    return runDocker([command, ...args], { cwd: this.#dir });
  }

  #beside(): string {
    const services = SITES.flatMap((site) => [
      `  ${site}-redis:\n    ports: !override ['127.0.0.1:${this.#ports[`${site}-redis`]}:6379']\n`,
      `  ${site}-tandem:\n    image: ${this.image}\n    build: { network: host }\n`,
      `    ports: !override ['127.0.0.1:${this.#ports[`${site}-tandem`]}:8080']\n`,
    ]);
    return `services:\n${services.join('')}`;
  }
}

/** `docker …`. Rejects if there is no such program, or it does not end in time. */
export function runDocker(
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Ran> {
  const options = { cwd, env: { ...process.env, ...env }, timeout: COMMAND_MS, maxBuffer: OUTPUT_BYTES };
  return new Promise((resolve, reject) => {
    execFile('docker', [...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number')
        reject(new Error(`docker ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
      else resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

/** The files that a clone would have: what git knows, and what it would be given. */
export function copyClone(to: string): void {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  for (const file of list.toString().split('\0').filter(isThere)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(file, join(to, file));
  }
}

function isThere(file: string): boolean {
  return file !== '' && !file.startsWith('node_modules/');
}
