import { COMPARE, COMPARE_MESSAGE, hidingExcluded, questioned } from '../protocol/messages/compare.js';
import { LIBRARY, loadingOf } from '../protocol/messages/library.js';
import { LIST } from '../protocol/messages/list.js';
import { MARK } from '../protocol/messages/mark.js';
import { PART, parsePart } from '../protocol/messages/part.js';
import { TURN, TURN_MESSAGE } from '../protocol/messages/turn.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { kindsOf, type Filter } from '../config/filter.js';
import { scriptSource } from '../lua/scripts.js';
import { assemblyBeside } from '../redis/keys.js';
import { answerToMark } from '../conflicts/marks.js';
import type { PayloadCommand } from '../protocol/payload.js';

/** So long a value stays of which no further part comes. */
const ASSEMBLY_MS = 3_600_000;
/** Bytes of values after which a script looks at no further key. */
const TURNED_BYTES = 1024 * 1024;

/**
 * The command that runs here for a question of the peer's: of a comparison, for names of keys, or a mark; for a library, or a part of a
 * value, that comes
 * (`protocol/messages/`). A message that is for long work (`isForLongWork`) runs nothing.
 * @param options `seen`: that of the batch the question came in
 */
export function translateComparison(
  { name, args }: PayloadCommand,
  options: {
    out: string;
    waits: string;
    seen: number;
    fieldsExpire: boolean;
    databases: number;
    filter: Filter;
  },
): Buffer | undefined {
  const { out, seen, fieldsExpire, databases, filter } = options;
  const [session, number] = args.slice(1, 3) as [Buffer, Buffer];
  switch (name) {
    case COMPARE: {
      const keys = COMPARE_MESSAGE.keys(args);
      const header = [session, number, seen, kindsOf(keys, fieldsExpire, filter), databases];
      const isExcluded = ({ database, key }: PlacedKey): boolean => !filter.key(database, key);
      const asked = filter.passesAllKeys ? questioned(args) : hidingExcluded(args, isExcluded);
      return encodeCommand(['EVAL', scriptSource('compare-keys'), 1, out, ...header, ...asked]);
    }
    case LIST: {
      // Capture leaves out names that are excluded; it is not told their database.
      const known = filter.database(Number(args[3]!.toString('latin1'))) ? databases : 0;
      return encodeCommand(['EVAL', scriptSource('list-keys'), 1, out, known, ...args.slice(1)]);
    }
    case TURN: {
      const keys = TURN_MESSAGE.keys(args).filter(
        ({ database, key }) => database < databases && filter.key(database, key),
      );
      if (keys.length === 0) return undefined;
      const header = [session, number, kindsOf(keys, fieldsExpire, filter), TURNED_BYTES, 1];
      const places = keys.flatMap(({ database, key }) => [database, key]);
      return encodeCommand(['EVAL', scriptSource('digest-keys'), 1, out, ...header, ...places]);
    }
    case MARK:
      return answerToMark(args, options);
    case PART: {
      const { id, number: at, type, elements } = parsePart(args);
      const { assembly, assembled } = assemblyBeside(out);
      const part = [id, at, type, ASSEMBLY_MS, ...elements];
      return encodeCommand(['EVAL', scriptSource('assemble-part'), 2, assembly, assembled, ...part]);
    }
    case LIBRARY:
      return loadingOf(args);
    default:
      return undefined;
  }
}
