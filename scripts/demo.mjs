// The demo behind scripts/demo: starts two servers and two sites, and shows step by step what they do.
import { parseArgs } from 'node:util';
import { DemoPair } from './demo-pair.mjs';
import { STEPS } from './demo-steps.mjs';

const PORTS = '6401,6402,8401,8402';

const USAGE = `scripts/demo [--once] [--ports ${PORTS}]
  --once   end after the steps, with 0 if all of them held
  --ports  four, with commas: of both servers, and of both status pages`;

const options = given();
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const ports = options.ports.split(',').map(Number);
if (ports.length !== 4 || !ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536)) {
  refuse('--ports takes four, with commas');
}

function given() {
  const boolean = { type: 'boolean', default: false };
  try {
    return parseArgs({
      options: { once: boolean, help: { ...boolean, short: 'h' }, ports: { type: 'string', default: PORTS } },
    }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(why) {
  console.error(`demo: ${why}\n${USAGE}`);
  process.exit(2);
}

let ending;
const pair = new DemoPair(ports, (what) => void fail(what));

process.on('exit', () => pair.destroy());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => void end(options.once ? 1 : 0));

try {
  console.log(`Tandem keeps two ordinary Redis servers equal while applications write to both.
This demo starts two servers, east and west, and a Tandem process beside each.
`);
  const began = performance.now();
  await pair.start();
  console.log(`All four run, and changes cross, after ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  const failed = await showAll();
  if (options.once) await end(failed.length === 0 ? 0 : 1);
  else explain();
} catch (error) {
  await fail(error.message);
}

/** Gives the numbers of the steps that did not hold. */
async function showAll() {
  const failed = [];
  for (const [at, { title, show }] of STEPS.entries()) {
    console.log(`\n${at + 1}. ${title}\n`);
    let held = false;
    try {
      held = await show(pair);
    } catch (error) {
      console.log(`   → ${error.message}`);
    }
    if (!held) failed.push(at + 1);
  }
  console.log(
    failed.length === 0 ? '\nAll of it held.' : `\nThis did not hold: step ${failed.join(', step ')}.`,
  );
  return failed;
}

function explain() {
  const [east, west] = ports;
  console.log(`
Both sites are up, until Ctrl-C. Write at one, read at the other:

  redis-cli -p ${east} SET colour red && redis-cli -p ${west} GET colour

East's page is ${pair.pageOf('east')}, the logs are in ${pair.dir}`);
}

async function fail(what) {
  if (ending) return;
  console.error(`\ndemo: ${what}`);
  await end(1);
}

async function end(code) {
  ending ??= pair.end();
  await ending;
  process.exit(code);
}
