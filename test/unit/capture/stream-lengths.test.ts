import { expect, test } from 'vitest';
import { StreamLengths } from '../../../src/capture/stream-lengths.js';
import { CommandNames } from '../../../src/redis-commands/command-names.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';

const names = new CommandNames();

function read(text: string): CommandReader {
  const reader = new CommandReader();
  reader.push(encodeCommand(text.split(' ')));
  reader.next();
  return reader;
}

/** The stream of a server, and what is sent for each addition of this site's: `=` where that is the same. */
class Story {
  readonly #lengths = new StreamLengths();

  here(text: string): string {
    const reader = read(text);
    const known = names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0));
    return this.#lengths.ran(known, reader.arguments(), 0)?.map(String).join(' ') ?? '=';
  }

  applied(...texts: string[]): void {
    for (const text of texts) {
      const reader = read(text);
      this.#lengths.echoed(
        reader,
        names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0)),
        0,
      );
    }
    this.#lengths.endEcho();
  }
}

test('an addition that takes nothing off is sent without its trim, from the second one on', () => {
  const story = new Story();
  expect(story.here('XADD s MAXLEN = 1 1-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN = 2 2-0 f v')).toBe('XADD s 2-0 f v');
  expect(story.here('XADD s NOMKSTREAM MAXLEN = 3 LIMIT 100 3-0 MAXLEN = 9')).toBe(
    'XADD s NOMKSTREAM 3-0 MAXLEN = 9',
  );
  expect(story.here('XADD s 4-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN 5 5-0 f v')).toBe('XADD s 5-0 f v');
});

test('one that takes entries off is sent with its trim, and so is one of a stream that is not known', () => {
  const story = new Story();
  story.here('XADD s MAXLEN = 100 1-0 f v');
  expect(story.here('XADD s MAXLEN = 100 2-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN = 40 3-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN = 41 4-0 f v')).toBe('XADD s 4-0 f v');
  expect(story.here('XADD other MAXLEN = 41 4-0 f v')).toBe('=');
  expect(story.here('XADD s MINID = 3 5-0 f v')).toBe('=');
});

test.each([
  'DEL s',
  'RENAME other s',
  'RESTORE s 0 x REPLACE',
  'FLUSHALL',
  'COPY other s REPLACE',
  'NEW.COMMAND s',
])('behind %s nothing is known', (text) => {
  const story = new Story();
  story.here('XADD s MAXLEN = 1 1-0 f v');
  story.here(text);
  expect(story.here('XADD s MAXLEN = 2 2-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN = 3 3-0 f v')).toBe('XADD s 3-0 f v');
});

test.each(['XDEL s 1-0', 'XTRIM s MAXLEN = 1', 'XACK s g 1-0', 'EXPIRE s 100', 'SET other v'])(
  'behind %s the stream has no more entries than before',
  (text) => {
    const story = new Story();
    story.here('XADD s MAXLEN = 5 1-0 f v');
    story.here(text);
    expect(story.here('XADD s MAXLEN = 6 2-0 f v')).toBe('XADD s 2-0 f v');
  },
);

test('entries of the other site count, but not those that are taken off and put back for them', () => {
  const story = new Story();
  story.here('XADD s MAXLEN = 1 1-0 f v');
  story.here('XADD s MAXLEN = 2 5-0 f v');
  story.applied('XDEL s 5-0', 'XSETID s 1-0', 'XADD s 3-0 g w', 'XADD s 5-0 f v', 'XSETID s 5-0');
  expect(story.here('XADD s MAXLEN = 3 6-0 f v')).toBe('=');
  story.applied('XADD s 7-0 g w');
  expect(story.here('XADD s MAXLEN = 5 8-0 f v')).toBe('XADD s 8-0 f v');
  story.applied('DEL s');
  expect(story.here('XADD s MAXLEN = 6 9-0 f v')).toBe('=');
});

test('what says more of a trim is left as it is', () => {
  const story = new Story();
  story.here('XADD s MAXLEN = 1 1-0 f v');
  expect(story.here('XADD s ACKED MAXLEN = 2 2-0 f v')).toBe('=');
  expect(story.here('XADD s MAXLEN = 9 MAXLEN = 3 3-0 f v')).toBe('=');
});
