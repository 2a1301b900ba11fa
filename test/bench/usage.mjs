/** What processes use, as Linux tells it under /proc; elsewhere nothing is told. */
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 25;

/** Processor seconds used since the process began; undefined when it is gone or nobody knows. */
export function cpuSeconds(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold spaces; user and system time are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** Resident memory in MB, now and at its highest. */
export function memory(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const megabytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
    return { nowMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
  } catch {
    return { nowMb: null, peakMb: null };
  }
}

/** Follows processes, some of which end before they are asked: the last sample counts. */
export class CpuMeter {
  #timer;
  #began = new Map();
  #last = new Map();

  /** @param processes children by name; several may share a name */
  constructor(processes) {
    this.processes = processes;
    for (const child of processes.map(([, one]) => one)) this.#began.set(child, cpuSeconds(child.pid) ?? 0);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Processor seconds by name since the meter was made. */
  stop() {
    clearInterval(this.#timer);
    this.#sample();
    const seconds = {};
    for (const [name, child] of this.processes) {
      const used = (this.#last.get(child) ?? 0) - this.#began.get(child);
      seconds[name] = (seconds[name] ?? 0) + used;
    }
    return seconds;
  }

  #sample() {
    for (const [, child] of this.processes) {
      const seconds = cpuSeconds(child.pid);
      if (seconds !== undefined && seconds >= (this.#last.get(child) ?? 0)) this.#last.set(child, seconds);
    }
  }
}
