import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorReply, ReplyReader, type ExecReply, type Reply } from '../../../src/redis/reply-reader.js';
import { bytes, cut, cuts, pieces } from '../redis-commands/chunks.js';

const line = fc
  .oneof(fc.constantFrom('OK', 'QUEUED', 'Q', 'QUEUEDx', '', 'ÖK'), fc.string({ maxLength: 12 }))
  .map((text) => text.replaceAll(/[\r\n]/g, ' '));
const error = line.map((text) => new ErrorReply(`ERR ${text}`));

const { reply: anyReply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    line,
    fc.integer(),
    fc.constant(null),
    error,
    bytes,
    fc.array(tie('reply'), { maxLength: 4 }),
  ),
}));

/** A reply as the server writes it. */
function written(reply: Reply): Buffer {
  if (reply === null) return Buffer.from('$-1\r\n');
  if (reply instanceof ErrorReply) return Buffer.from(`-${reply.message}\r\n`);
  if (typeof reply === 'string') return Buffer.from(`+${reply}\r\n`);
  if (typeof reply === 'number') return Buffer.from(`:${reply}\r\n`);
  if (Buffer.isBuffer(reply))
    return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${reply.length}\r\n`), ...reply.map(written)]);
}

/** Something asked for, the bytes that answer it, and what is to come of them. */
interface Asked {
  readonly ask: (reader: ReplyReader) => Promise<unknown>;
  readonly bytes: Buffer;
  readonly answer: unknown;
}

function isError(reply: Reply): reply is ErrorReply {
  return reply instanceof ErrorReply;
}

function placed(replies: readonly Reply[]): { index: number; error: ErrorReply }[] {
  return replies.flatMap((reply, index) => (isError(reply) ? [{ index, error: reply }] : []));
}

const asked: fc.Arbitrary<Asked> = fc.oneof(
  anyReply.map((reply) => ({
    ask: (reader: ReplyReader) => reader.value(),
    bytes: written(reply),
    answer: reply,
  })),
  fc
    .array(fc.oneof({ weight: 4, arbitrary: fc.constant('QUEUED') }, line, error), { maxLength: 12 })
    .map((replies) => ({
      ask: (reader: ReplyReader) => reader.statuses(replies.length),
      bytes: Buffer.concat(replies.map(written)),
      answer: placed(replies),
    })),
  fc
    .array(fc.oneof({ weight: 4, arbitrary: fc.constant('OK') }, anyReply), { maxLength: 12 })
    .map((replies) => ({
      ask: (reader: ReplyReader) => reader.exec(),
      bytes: written(replies),
      answer: { aborted: false, length: replies.length, errors: placed(replies) } satisfies ExecReply,
    })),
  fc.constantFrom<Asked>(
    {
      ask: (reader) => reader.exec(),
      bytes: Buffer.from('*-1\r\n'),
      answer: { aborted: true, length: 0, errors: [] },
    },
    {
      ask: (reader) => reader.exec(),
      bytes: Buffer.from('-EXECABORT no\r\n'),
      answer: new ErrorReply('EXECABORT no'),
    },
  ),
);

/** What came, as text: quick to compare. */
function told(answer: unknown): string {
  return JSON.stringify(answer, (_, value: unknown) => {
    if (value instanceof ErrorReply) return { error: value.message };
    const buffer = value as { type?: string; data?: number[] } | null;
    return buffer?.type === 'Buffer' ? Buffer.from(buffer.data!).toString('latin1') : value;
  });
}

/** Feeds the chunks, each in memory that is used again at once. */
function feed(reader: ReplyReader, chunks: readonly Buffer[]): void {
  for (const chunk of chunks) {
    reader.push(chunk);
    chunk.fill(0x2a);
  }
}

describe('replies', () => {
  test('come to those who asked, in order, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { maxLength: 10 }), cuts, async (all, shares) => {
        const reader = new ReplyReader();
        const promises = all.map(({ ask }) => ask(reader));
        feed(reader, cut(Buffer.concat(all.map((one) => one.bytes)), shares));
        expect(told(await Promise.all(promises))).toBe(told(all.map(({ answer }) => answer)));
      }),
      { numRuns: 300 },
    );
  });

  test('come byte by byte too', async () => {
    const reader = new ReplyReader();
    const promises = [reader.statuses(3), reader.exec(), reader.value()];
    feed(
      reader,
      pieces(Buffer.from('+QUEUED\r\n-ERR x\r\n+QUEUED\r\n*2\r\n+OK\r\n-ERR y\r\n$4\r\n\r\n\r\n\r\n'), 1),
    );
    expect(await Promise.all(promises)).toEqual([
      [{ index: 1, error: new ErrorReply('ERR x') }],
      { aborted: false, length: 2, errors: [{ index: 1, error: new ErrorReply('ERR y') }] },
      Buffer.from('\r\n\r\n'),
    ]);
  });

  test('are found among thousands asked for at once', async () => {
    const reader = new ReplyReader();
    const promises = Array.from({ length: 5000 }, () => reader.value());
    feed(reader, pieces(Buffer.from(Array.from({ length: 5000 }, (_, i) => `:${i}\r\n`).join('')), 1000));
    expect(await Promise.all(promises)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  });

  test('as deep as arrays go are passed over in an EXEC, and only errors at the top are told', async () => {
    const reader = new ReplyReader();
    const exec = reader.exec();
    feed(reader, [Buffer.from('*3\r\n*2\r\n*1\r\n-ERR inner\r\n$-1\r\n*-1\r\n-WRONGTYPE outer\r\n')]);
    expect(await exec).toEqual({
      aborted: false,
      length: 3,
      errors: [{ index: 2, error: new ErrorReply('WRONGTYPE outer') }],
    });
  });

  test('of many megabytes take time in step with their length', async () => {
    const reader = new ReplyReader();
    const chunk = Buffer.alloc(65_536, 'x');
    const answers = [reader.exec(), reader.value()];
    reader.push(Buffer.from(`*1\r\n$${1024 * chunk.length}\r\n`));
    for (let i = 0; i < 1024; i++) reader.push(chunk);
    reader.push(Buffer.from(`\r\n$${1024 * chunk.length}\r\n`));
    for (let i = 0; i < 1024; i++) reader.push(chunk);
    reader.push(Buffer.from('\r\n'));
    // Copied with each chunk, they would take a minute and not come within the time of this test.
    expect(await answers[0]).toMatchObject({ length: 1 });
    expect(await answers[1]).toHaveLength(1024 * chunk.length);
  });
});

describe('an error reply', () => {
  test('has its first word for a code', () => {
    expect(new ErrorReply('WRONGTYPE Operation against a key').code).toBe('WRONGTYPE');
    expect(new ErrorReply('BUSY').code).toBe('BUSY');
  });
});

describe('the last reply before a stream', () => {
  test('may stand behind newlines, and leaves what follows it', async () => {
    for (let at = 0; at <= 24; at++) {
      const whole = Buffer.from('\n\n+CONTINUE abc\r\n*1\r\nX');
      const reader = new ReplyReader();
      const last = reader.lastValue();
      feed(reader, [Buffer.from(whole.subarray(0, at)), Buffer.from(whole.subarray(at))]);
      expect([await last, String(reader.takeRest())]).toEqual(['CONTINUE abc', '*1\r\nX']);
    }
  });
});

describe('bytes that are no reply', () => {
  test.each(['hello\r\n', '%1\r\n', '\r\n'])('%j are an error', (text) => {
    const reader = new ReplyReader();
    void reader.value();
    expect(() => reader.push(Buffer.from(text))).toThrowError(expect.objectContaining({ code: 'INTERNAL' }));
  });

  test('nobody asked for are an error', () => {
    expect(() => new ReplyReader().push(Buffer.from('+OK\r\n'))).toThrowError(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
  });
});

test('when no reply will come any more, everybody who waits is told', async () => {
  const reader = new ReplyReader();
  const waiting = [reader.value(), reader.statuses(2), reader.exec()];
  reader.push(Buffer.from(':1\r\n+QUEUED\r\n'));
  const reason = new Error('gone');
  reader.fail(reason);
  expect(await Promise.allSettled(waiting)).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason },
    { status: 'rejected', reason },
  ]);
});

test('no statuses need no reply', async () => {
  expect(await new ReplyReader().statuses(0)).toEqual([]);
});
