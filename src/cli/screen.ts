import { stripVTControlCharacters } from 'node:util';

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';
const CTRL_C = '\u0003';
/** A letter that takes room, or what only changes the colour. */
// oxlint-disable-next-line no-control-regex
const PIECES = /\u001B\[[\d;]*m|[^\u001B]/gu;

/** A terminal that is drawn over: what stood there before comes back when it is closed. */
export class Screen {
  readonly #closed = new AbortController();
  readonly #input = process.stdin.isTTY ? process.stdin : undefined;
  readonly #onKey = (keys: Buffer): void => {
    const typed = keys.toString();
    if (typed.includes('q') || typed.includes(CTRL_C)) this.#closed.abort();
  };
  /** Whatever ends the process, the terminal is left as it was. */
  readonly #onExit = (): void => this.close();
  #isOpen = true;

  constructor() {
    process.stdout.write(ENTER);
    this.#input?.setRawMode(true).on('data', this.#onKey).resume();
    process.once('exit', this.#onExit);
  }

  /** Aborts when a key is pressed that ends it. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Draws these lines from the top: of each, and of them, as much as there is room for. */
  draw(lines: readonly string[]): void {
    // A terminal that does not know its size says 0.
    const [columns, rows] = [process.stdout.columns || 80, process.stdout.rows || 24];
    const drawn = lines.slice(0, rows).map((line) => `${cut(line, columns)}${CLEAR_LINE}`);
    process.stdout.write(`${HOME}${drawn.join('\r\n')}${CLEAR_BELOW}`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.#onExit);
    this.#input?.off('data', this.#onKey).setRawMode(false).pause();
    process.stdout.write(LEAVE);
  }
}

/** The beginning of a line that is so wide, with the colours of all of it. */
export function cut(line: string, columns: number): string {
  if (stripVTControlCharacters(line).length <= columns) return line;
  let width = 0;
  let text = '';
  for (const piece of line.match(PIECES) ?? []) {
    if (piece.length > 1 && piece.startsWith('\u001B')) text += piece;
    else if (width < columns) {
      text += piece;
      width++;
    }
  }
  return text;
}
