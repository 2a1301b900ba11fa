#!/usr/bin/env node
/**
 * The first file that runs. It must be understood by an old Node.js, which would end with a stack trace at the first import of
 * anything newer: so it imports nothing before it has looked.
 */

/** As `engines` in package.json has it. */
const OLDEST_NODE = [20, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  console.error(
    `tandem: Node.js ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.versions.node}`,
  );
  process.exitCode = 5;
} else {
  let isOver = false;
  process.once('exit', () => {
    // Whoever leaves on purpose names a code.
    if (isOver || process.exitCode !== undefined) return;
    console.error('tandem: ended before its work was done: a mistake in Tandem itself');
    process.exitCode = 1;
  });
  // Not with `await`, which the oldest that read modules do not know here.
  void import('./cli/program.js')
    .then(({ main }) => main(process.argv))
    .then((exitCode) => {
      isOver = true;
      return (process.exitCode = exitCode);
    });
}
