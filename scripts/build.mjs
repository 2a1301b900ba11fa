// Compiles src to dist and copies the Lua scripts, and the files of the status page, beside the code that loads them.
// dist is never emptied first: a process that runs from it meanwhile keeps finding its files.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const src = join(root, 'src');
const dist = join(root, 'dist');

const tsc = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  {
    stdio: 'inherit',
  },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const sources = readdirSync(src, { recursive: true }).map(String);
const isCopied = (name) => name.endsWith('.lua') || /\/assets\/[^/]+\./.test(name);
for (const file of sources.filter(isCopied)) {
  cpSync(join(src, file), join(dist, file));
}
removeStale();
const cli = join(dist, 'cli.js');
if (existsSync(cli)) chmodSync(cli, 0o755);

/** What was compiled from a source that is gone must not be found by an import. */
function removeStale() {
  const wanted = new Set(
    sources.flatMap((name) =>
      name.endsWith('.ts') && !isCopied(name)
        ? ['.js', '.js.map', '.d.ts'].map((end) => name.replace(/\.ts$/, end))
        : [name],
    ),
  );
  for (const name of readdirSync(dist, { recursive: true }).map(String)) {
    if (/\.(js|map|d\.ts|lua)$/.test(name) && !wanted.has(name)) rmSync(join(dist, name));
  }
}
