/** The file of settings: JSON, or YAML where its name says so. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import type * as YamlModule from 'yaml';
import { jsonMistake } from './json-mistake.js';

/** For those who have such a file: it takes as long to load as all of the settings. */
const require = createRequire(import.meta.url);

/** A file of settings as it was read; `problem` when it cannot be used, which quotes nothing of it: passwords may stand in it. */
export interface SettingsFile {
  readonly content?: unknown;
  readonly problem?: string;
}

export function readSettingsFile(path: string): SettingsFile {
  let text: string;
  try {
    // Editors of Windows begin a file with this mark.
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
  const extension = extname(path).toLowerCase();
  if (['.yaml', '.yml'].includes(extension)) return fromYaml(text);
  const { content, problem } = fromJson(text);
  if (problem === undefined) return { content };
  return {
    problem: extension === '.json' ? problem : `${problem}; YAML is read from a file named .yaml or .yml`,
  };
}

function fromJson(text: string): SettingsFile {
  try {
    return { content: JSON.parse(text) as unknown };
  } catch {
    return notValid('JSON', jsonMistake(text));
  }
}

function fromYaml(text: string): SettingsFile {
  const yaml = require('yaml') as typeof YamlModule;
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    return notValid('YAML', { line, column: col });
  }
  try {
    return { content: document.toJS() as unknown };
  } catch {
    // An alias of something that is not there, or that would make too much of too little.
    return { problem: 'is not valid YAML: its aliases cannot be followed' };
  }
}

function notValid(format: string, place: { line: number; column: number } | undefined): SettingsFile {
  const { line, column } = place ?? { line: 1, column: 1 };
  return { problem: `is not valid ${format}: see line ${line}, column ${column}` };
}
