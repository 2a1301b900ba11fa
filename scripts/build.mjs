// Compiles src to dist and copies the Lua scripts, and the files of the status page, beside the code that loads them.
// dist is never emptied first: a process that runs from it meanwhile keeps finding its files.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const src = join(root, 'src');
const dist = join(root, 'dist');

// Beside dist, as deep as it: the maps name the sources by their way from there.
const made = mkdtempSync(join(root, '.dist-'));
try {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const options = ['-p', join(root, 'tsconfig.build.json'), '--outDir', made];
  const { status } = spawnSync(process.execPath, [tsc, ...options], { stdio: 'inherit' });
  if (status === 0) replace();
  else process.exitCode = status ?? 1;
} finally {
  rmSync(made, { recursive: true });
}

/** Puts what was made in the place of what is there: a process that begins meanwhile reads no file that is half written. */
function replace() {
  const sources = readdirSync(src, { recursive: true }).map(String);
  const isCopied = (name) => name.endsWith('.lua') || /\/assets\/[^/]+\./.test(name);
  for (const file of sources.filter(isCopied)) cpSync(join(src, file), join(made, file));
  chmodSync(join(made, 'cli.js'), 0o755);
  const files = readdirSync(made, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ parentPath, name }) => relative(made, join(parentPath, name)));
  for (const name of names) {
    const [from, to] = [join(made, name), join(dist, name)];
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue;
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
  removeStale(new Set(names));
  // Says that this is newer than every source, also where nothing has changed.
  const now = new Date();
  utimesSync(join(dist, 'cli.js'), now, now);
}

/** What was compiled from a source that is gone must not be found by an import. */
function removeStale(wanted) {
  for (const name of readdirSync(dist, { recursive: true }).map(String)) {
    if (/\.(js|map|d\.ts|lua)$/.test(name) && !wanted.has(name)) rmSync(join(dist, name));
  }
}
