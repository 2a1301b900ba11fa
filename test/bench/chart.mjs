/** A chart of how many changes cross in a second, from what `scripts/bench --json` prints: a bar for each measurement, by pipeline. */

const WIDTH = 760;
const NAME_WIDTH = 190;
const BAR_WIDTH = 380;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 16;
const HEAD_HEIGHT = 34;
const MARGIN = 14;
const OTHERS = '#9aa4b2';
const TANDEM = '#2f6fde';

/** @param report as `scripts/bench --json` prints it @returns SVG; readable on a dark page too, since it brings its own ground */
export function chartOf({ throughput, machine }) {
  if (!throughput?.length) throw new Error('the report has no rates: --only native,one-way,both-ways');
  const most = Math.max(...throughput.map((row) => row.changesPerSecond));
  const parts = [];
  let y = MARGIN;
  for (const pipeline of new Set(throughput.map((row) => row.pipeline))) {
    y += HEAD_HEIGHT;
    parts.push(text(MARGIN, y - 10, `Changes a second, pipeline ${pipeline}`, 'font-weight="600"'));
    for (const row of throughput.filter((one) => one.pipeline === pipeline)) {
      const width = Math.max(1, Math.round((row.changesPerSecond / most) * BAR_WIDTH));
      const isTandem = row.scenario !== 'native' && !row.scenario.startsWith('floor-');
      const fill = isTandem ? TANDEM : OTHERS;
      parts.push(
        text(MARGIN, y + 13, row.title),
        `<rect x="${NAME_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${fill}"/>`,
        text(NAME_WIDTH + width + 8, y + 13, labelOf(row)),
      );
      y += ROW_HEIGHT;
    }
  }
  y += HEAD_HEIGHT;
  parts.push(text(MARGIN, y - 14, describe(machine), 'fill="#5b6675" font-size="11"'));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="system-ui, sans-serif" font-size="13" fill="#1c2430">`,
    `<rect width="${WIDTH}" height="${y}" rx="6" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function labelOf({ scenario, changesPerSecond, ofNative, cpuOfNative }) {
  const rate = Math.round(changesPerSecond).toLocaleString('en');
  if (scenario === 'native' || !ofNative) return rate;
  return `${rate}: ${ofNative.toFixed(2)} of native, CPU × ${cpuOfNative.toFixed(1)}`;
}

function describe({ server, node, cores, cpu }) {
  return `${server}, Node ${node}, ${cores} × ${cpu}`;
}

function text(x, y, words, more = '') {
  const safe = String(words).replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${x}" y="${y}"${more && ` ${more}`}>${safe}</text>`;
}
