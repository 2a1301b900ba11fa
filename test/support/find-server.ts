import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What test servers are made of: a program on this machine, or an image for a container engine. */
export type ServerSource =
  | { kind: 'program'; path: string; name: 'redis' | 'valkey'; version: readonly [number, number, number] }
  | { kind: 'image'; image: string };

const IMAGE = 'redis:7';
let found: Promise<ServerSource> | undefined;

/**
 * Finds a server to test with, once per process: the program that `TANDEM_TEST_REDIS` names; `redis-server` or
 * `valkey-server` on the PATH; the image redis:7 if a container engine answers.
 * Rejects with an error that says what to install if there is none.
 */
export function findServer(): Promise<ServerSource> {
  found ??= find();
  return found;
}

async function find(): Promise<ServerSource> {
  const named = process.env['TANDEM_TEST_REDIS'];
  if (named) return programAt(named);
  const onPath = ['redis-server', 'valkey-server'].map(lookUp).find((path) => path !== undefined);
  if (onPath) return programAt(onPath);
  const reason = await noEngine();
  if (reason === undefined) return { kind: 'image', image: IMAGE };
  throw new Error(
    'no server to test with: install redis-server or valkey-server (apt-get install redis-server), ' +
      `or name one with TANDEM_TEST_REDIS=/path/to/redis-server, or start a container engine (${reason})`,
  );
}

function lookUp(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first line of `--version` is `Redis server v=7.0.15 …` or `Valkey server v=8.1.1 …`. */
export function programAt(path: string): ServerSource & { kind: 'program' } {
  if (!isExecutable(path)) throw new Error(`${path} is not a program that can be run`);
  const text = execFileSync(path, ['--version'], { encoding: 'utf8' });
  const match = /^(Redis|Valkey).*\bv=(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (!match) throw new Error(`${path} is neither a Redis nor a Valkey server: ${text.trim()}`);
  const [, name, major, minor, patch] = match;
  return {
    kind: 'program',
    path,
    name: name === 'Valkey' ? 'valkey' : 'redis',
    version: [Number(major), Number(minor), Number(patch)],
  };
}

/** Why no container can be started, or undefined if an engine answers. */
async function noEngine(): Promise<string | undefined> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
