/* The plots: lag, throughput, what waits, conflicts. Points as src/observe/page/history.ts gives them. */

const HEIGHT = 150;
const MIB = 2 ** 20;

/** Name of the plot → its curves: label, and value of a point. */
const PLOTS = {
  'plot-lag': [
    ['out', (point) => point.outboundLagMs / 1000],
    ['in', (point) => point.inboundLagMs / 1000],
  ],
  'plot-rate': [
    ['out', (point) => point.outboundRate],
    ['in', (point) => point.inboundRate],
  ],
  'plot-fill': [
    ['change list', (point) => point.changeListBytes / MIB],
    ['inbox', (point) => point.inboxBytes / MIB],
  ],
  'plot-conflicts': [['conflicts', (point) => point.conflictRate]],
};

export class Plots {
  #plots = new Map();

  show(points) {
    for (const [name, curves] of Object.entries(PLOTS)) {
      const data = [
        points.map((point) => point.at / 1000),
        ...curves.map(([, valueOf]) => points.map((point) => valueOf(point))),
      ];
      const known = this.#plots.get(name);
      if (known) known.setData(data);
      else this.#plots.set(name, drawn(document.getElementById(name), curves, data));
    }
  }

  /** The width has changed, or the colours have. */
  redraw() {
    for (const [name, plot] of this.#plots)
      plot.setSize({ width: document.getElementById(name).clientWidth, height: HEIGHT });
  }
}

function drawn(element, curves, data) {
  const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
  // A custom property of light-dark() is no colour by itself: an element that has it is asked.
  const seen = (name) => () => {
    const probe = document.createElement('span');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color || colour(name)();
  };
  const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);
  const times = (_plot, splits) => splits.map(clock);
  const axis = { stroke: seen('--dim'), grid: { stroke: seen('--line'), width: 1 } };
  return new uPlot(
    {
      width: element.clientWidth || 300,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, values: times, space: 80 },
        { ...axis, size: 60 },
      ],
      series: [
        { label: 'time', value: (_plot, seconds) => (seconds == null ? '' : clock(seconds)) },
        ...curves.map(([label], at) => ({
          label,
          stroke: seen(at === 0 ? '--a' : '--b'),
          width: 1.5,
          points: { show: false },
        })),
      ],
    },
    data,
    element,
  );
}
