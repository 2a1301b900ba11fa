import { styleText } from 'node:util';
import type { KnownLag } from '../observe/lag.js';

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal, plain text elsewhere and where NO_COLOR is set. */
export const paint = {
  bold: painter('bold'),
  dim: painter('dim'),
  green: painter('green'),
  yellow: painter('yellow'),
  red: painter('red'),
};

function painter(style: Style): (text: string) => string {
  const isColoured = process.stdout.isTTY && !process.env['NO_COLOR'];
  return isColoured ? (text) => styleText(style, text) : (text) => text;
}

/** 1,234,567 bytes → `1.2 MiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** `850 ms`, `12.3 s`, `5 min 2 s`, `3 h 12 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** A lag, or that it is not known, and the reason. */
export function lagText({ lagMs, reason }: KnownLag): string {
  const text = lagMs === null ? 'unknown' : duration(lagMs);
  return reason === undefined ? text : `${text}: ${reason}`;
}

/** 1234567 → `1,234,567`. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Bytes that may be anything, safe on a terminal: a plain word as it is, all else as redis-cli quotes it. */
export function shown(raw: Uint8Array): string {
  const text = escaped(raw);
  return /^[!#-[\]-~]+$/.test(text) ? text : `"${text}"`;
}

/** What redis-cli writes for these bytes, in place of what stands here as a letter. */
const NAMED_ESCAPES: Readonly<Record<number, string>> = {
  0x07: '\\a',
  0x08: '\\b',
  0x09: '\\t',
  0x0a: '\\n',
  0x0d: '\\r',
  0x22: '\\"',
  0x5c: '\\\\',
};

/** Bytes as redis-cli prints them between its quotes: printable ASCII as it is, anything else escaped. Safe on any terminal. */
export function escaped(raw: Uint8Array): string {
  let text = '';
  for (const byte of raw) {
    const isPrintable = byte >= 0x20 && byte < 0x7f;
    text +=
      NAMED_ESCAPES[byte] ??
      (isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`);
  }
  return text;
}
