/** The files of the status page, read once. The plots are uPlot's, from its package: nothing is fetched from elsewhere. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export interface Asset {
  readonly mediaType: string;
  readonly body: Buffer;
}

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/** Path → where the file is, and its media type. */
const FILES: Readonly<Record<string, readonly [file: string, mediaType: string]>> = {
  '/': ['page.html', HTML],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
  '/page.css': ['page.css', CSS],
  '/page.js': ['page.js', SCRIPT],
  '/views.js': ['views.js', SCRIPT],
  '/plots.js': ['plots.js', SCRIPT],
  '/uplot.css': ['uplot/dist/uPlot.min.css', CSS],
  '/uplot.js': ['uplot/dist/uPlot.iife.min.js', SCRIPT],
};

const read = new Map<string, Asset>();

/** The file of a path; undefined where there is none. */
export function assetOf(path: string): Asset | undefined {
  const known = read.get(path);
  if (known) return known;
  const [file, mediaType] = (Object.hasOwn(FILES, path) ? FILES[path] : undefined) ?? [];
  if (file === undefined || mediaType === undefined) return undefined;
  const place = file.startsWith('uplot/')
    ? createRequire(import.meta.url).resolve(file)
    : new URL(`assets/${file}`, import.meta.url);
  const asset = { mediaType, body: readFileSync(place) };
  read.set(path, asset);
  return asset;
}
