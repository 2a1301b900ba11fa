/** Writes docs/pictures/rate.svg from a report of scripts/bench --json on stdin. */
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { chartOf } from '../test/bench/chart.mjs';

const FILE = fileURLToPath(new URL('../docs/pictures/rate.svg', import.meta.url));

writeFileSync(FILE, chartOf(JSON.parse(await text(process.stdin))));
