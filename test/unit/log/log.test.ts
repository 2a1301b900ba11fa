import { describe, expect, it } from 'vitest';
import { TandemError } from '../../../src/errors.js';
import { type LogConfig, createLogger } from '../../../src/log/log.js';

function logged(
  write: (log: ReturnType<typeof createLogger>) => void,
  config: Partial<LogConfig> = {},
): string {
  let text = '';
  const log = createLogger(
    { pair: 'orders', site: 'east', logLevel: 'info', logPretty: 'auto', logData: false, ...config },
    { write: (line) => (text += line) },
  );
  write(log);
  return text;
}

describe('the log', () => {
  it('is JSON lines with time, level, pair and site', () => {
    const line = JSON.parse(logged((log) => log.info({ lagMs: 3 }, 'status'))) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'info', pair: 'orders', site: 'east', lagMs: 3, msg: 'status' });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('keeps to its level', () => {
    expect(logged((log) => log.debug('x'))).toBe('');
    expect(logged((log) => log.debug('x'), { logLevel: 'debug' })).toContain('"x"');
  });

  it('is for people if asked', () => {
    expect(logged((log) => log.warn({ lagMs: 3 }, 'slow'), { logPretty: 'always' })).toMatch(
      /WARN.*: slow\n\s+lagMs: 3/,
    );
  });

  it.each(['password', 'url', 'localUrl', 'peerUrl', 'streamUrl'])(
    'hides the field %s, also one level down',
    (field) => {
      expect(
        logged((log) =>
          log.child({ stage: 'x' }).info({ [field]: 'sesame', config: { [field]: 'sesame' } }, 'm'),
        ),
      ).not.toContain('sesame');
    },
  );

  it("hides users' data unless that is wanted, but not counts", () => {
    const write = (log: ReturnType<typeof createLogger>): void =>
      log.info({ key: 'user:7', change: { value: 'sesame' }, keys: 12 }, 'm');
    expect(logged(write)).not.toMatch(/user:7|sesame/);
    expect(logged(write)).toContain('"keys":12');
    expect(logged(write, { logData: true })).toMatch(/user:7.*sesame/);
  });

  it('shows an error without the arguments of the command that failed', () => {
    const cause = Object.assign(new Error('WRONGTYPE'), {
      name: 'ReplyError',
      command: { name: 'set', args: ['user:7', 'sesame'] },
    });
    const text = logged((log) => log.error({ err: new TandemError('INTERNAL', 'failed', { cause }) }, 'm'));
    expect(text).toContain('WRONGTYPE');
    expect(text).not.toMatch(/user:7|sesame/);
  });

  it('has no password in a URL, whatever it stands in', () => {
    const text = logged((log) =>
      log.info({ detail: ['redis://tandem:sesame@host:1'] }, 'tried redis://:sesame@host'),
    );
    expect(text).not.toContain('sesame');
    expect(text).toContain('redis://***@host:1');
  });
});
