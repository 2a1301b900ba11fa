import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Global setup of the projects that run the built program: builds it unless the last build is newer than every source. */
export function setup(): void {
  const cli = join(root, 'dist/cli.js');
  if (existsSync(cli) && newest('dist') >= newest('src')) return;
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
}

function newest(folder: string): number {
  const names = readdirSync(join(root, folder), { recursive: true }).map(String);
  return Math.max(
    ...names.filter((name) => /\.(ts|js|lua)$/.test(name)).map((name) => mtime(join(root, folder, name))),
  );
}

function mtime(path: string): number {
  return statSync(path).mtimeMs;
}
