import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import convict from 'convict';
import type { CronExpressionParser } from 'cron-parser';
import { parseTarget } from './sentinel-url.js';

/**
 * The formats of the settings. `coerce` sees only text (from the environment, a flag, or a string in the file) and
 * returns it unchanged if it cannot be read, so that `validate` refuses it: convict's own formats would take
 * `12abc` for 12 and `no` for true.
 */
interface Format {
  name: string;
  coerce?: (text: string) => unknown;
  validate: (value: unknown, setting: FormatLimits) => void;
}

/** What a setting says to its format beside the name. */
interface FormatLimits {
  min?: number;
  max?: number;
  default: unknown;
}

export const NAME = /^[A-Za-z0-9_-]{1,32}$/;
export const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 2 ** 10,
  kib: 2 ** 10,
  mb: 2 ** 20,
  mib: 2 ** 20,
  gb: 2 ** 30,
  gib: 2 ** 30,
};

/** For what is rarely needed, and takes a tenth of a second to load. */
const require = createRequire(import.meta.url);

const FORMATS: Format[] = [
  {
    name: 'name',
    validate: (value) => {
      if (value === null) throw new Error('must be set');
      demand(typeof value === 'string' && NAME.test(value), 'must be 1 to 32 letters, digits, _ or -');
    },
  },
  {
    name: 'redis url',
    validate: (value) => {
      if (value === null) throw new Error('must be set');
      demand(typeof value === 'string', 'must be a string');
      parseTarget(value as string);
    },
  },
  {
    name: 'text',
    validate: (value) =>
      demand(typeof value === 'string' && value !== '', 'must be a string that is not empty'),
  },
  {
    name: 'cron',
    validate: (value) => {
      demand(typeof value === 'string', 'must be a string');
      if (value === '') return;
      demand(isCron(value as string), 'must be five or six fields as in a crontab, such as "0 3 * * *"');
    },
  },
  {
    name: 'file',
    validate: (value) => {
      demand(typeof value === 'string' && value !== '', 'must be the path of a file');
      try {
        readFileSync(value as string);
      } catch (error) {
        throw new Error(`cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
      }
    },
  },
  {
    name: 'whole number',
    coerce: (text) => (/^-?\d+$/.test(text) ? Number(text) : text),
    validate: demandWholeNumber,
  },
  {
    name: 'bytes',
    coerce: bytesOf,
    validate: (value, setting) => {
      demand(typeof value === 'number', 'must be a number of bytes, or a text such as "64MiB"');
      demandWholeNumber(value, setting);
    },
  },
  {
    name: 'true or false',
    coerce: (text) => (text === 'true' ? true : text === 'false' ? false : text),
    validate: (value) => demand(typeof value === 'boolean', 'must be true or false'),
  },
  {
    name: 'list',
    coerce: listOf,
    validate: (value) =>
      demand(
        Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''),
        'must be a list of strings, none of them empty',
      ),
  },
  {
    name: 'databases',
    coerce: (text) =>
      text === 'all' ? text : listOf(text).map((item) => (/^\d+$/.test(item) ? Number(item) : item)),
    validate: (value) =>
      demand(
        value === 'all' ||
          (Array.isArray(value) &&
            value.length > 0 &&
            value.every((item) => Number.isInteger(item) && item >= 0)),
        'must be "all", or the numbers of databases, such as 0,1,2',
      ),
  },
];

for (const format of FORMATS) convict.addFormat(format);

/** Reads it with the parser that BullMQ uses later. That one would take fewer fields and fill them up. */
function isCron(text: string): boolean {
  try {
    const parser = require('cron-parser') as { CronExpressionParser: typeof CronExpressionParser };
    parser.CronExpressionParser.parse(text);
    return [5, 6].includes(text.trim().split(/\s+/).length);
  } catch {
    return false;
  }
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

function demandWholeNumber(value: unknown, { min = 0, max = Number.MAX_SAFE_INTEGER }: FormatLimits): void {
  demand(
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    max === Number.MAX_SAFE_INTEGER
      ? `must be a whole number, at least ${min}`
      : `must be a whole number from ${min} to ${max}`,
  );
}

/** `64MiB`, `64mb` and `67108864` are the same; units count in 1024, as in redis.conf. */
function bytesOf(text: string): unknown {
  const match = /^(\d+)\s*([a-z]*)$/i.exec(text);
  const unit = match?.[2] === '' ? 1 : UNITS[match?.[2]?.toLowerCase() ?? ''];
  return match === null || unit === undefined ? text : Number(match[1]) * unit;
}

/** `a,b` or, for items that contain commas, a JSON list. */
function listOf(text: string): string[] {
  if (!text.startsWith('["')) return text === '' ? [] : text.split(',').map((item) => item.trim());
  try {
    return JSON.parse(text) as string[];
  } catch {
    return [text];
  }
}
