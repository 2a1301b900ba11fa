/**
 * Finds where a text stops being JSON. A parser's own message says it in some versions of Node only, and quotes the text around
 * the place, which may be a password.
 */

const SPACE = /[ \t\n\r]*/y;
/** A name or a text; a number, `true`, `false` or `null`. */
const TEXT = /"(?:[^"\\\n]|\\.)*"/y;
const WORD = /[\w.+-]+/y;

/** Where the first mistake begins, counted from 1; undefined when there is none. Columns are UTF-16 units. */
export function jsonMistake(text: string): { line: number; column: number } | undefined {
  const at = mistakeAt(text);
  if (at === undefined) return undefined;
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

/** The token that may come next: a value, a name with its colon, or one that follows a value. Right behind a bracket also `]` or `}`. */
type Awaited = 'value' | 'first value' | 'name' | 'first name' | 'end of value';

function mistakeAt(text: string): number | undefined {
  const open: ('[' | '{')[] = [];
  let awaited: Awaited = 'value';
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined || (pattern !== SPACE && !isJson(found))) return false;
    at += found.length;
    return true;
  };
  for (;;) {
    take(SPACE);
    const next = text[at];
    const closes: boolean = (next === ']' && open.at(-1) === '[') || (next === '}' && open.at(-1) === '{');
    if (closes && awaited !== 'value' && awaited !== 'name') {
      open.pop();
      awaited = 'end of value';
      at++;
    } else if (awaited === 'end of value') {
      if (open.length === 0) return at === text.length ? undefined : at;
      if (next !== ',') return at;
      awaited = open.at(-1) === '{' ? 'name' : 'value';
      at++;
    } else if (awaited === 'name' || awaited === 'first name') {
      if (!take(TEXT)) return at;
      take(SPACE);
      if (text[at] !== ':') return at;
      awaited = 'value';
      at++;
    } else if (next === '[' || next === '{') {
      open.push(next);
      awaited = next === '{' ? 'first name' : 'first value';
      at++;
    } else if (take(TEXT) || take(WORD)) awaited = 'end of value';
    else return at;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
