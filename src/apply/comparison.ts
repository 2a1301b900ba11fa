import { ANSWER, COMPARE, LIST, LISTED } from '../change/comparison.js';
import { encodeCommand } from '../change/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import type { PayloadCommand } from './payload.js';

/**
 * What runs here for a question of a comparison (`change/comparison.ts`). An answer runs nothing: it is taken note of.
 * @param options `seen`: that of the batch the question came in
 */
export function translateComparison(
  { name, args }: PayloadCommand,
  options: {
    out: string;
    seen: number;
    fieldsExpire: boolean;
    databases: number;
    onAnswer: (args: readonly Buffer[]) => void;
  },
): Buffer | undefined {
  const { out, seen, fieldsExpire, databases, onAnswer } = options;
  const [session, number] = args.slice(1, 3) as [Buffer, Buffer];
  switch (name) {
    case COMPARE: {
      const header = [session, number, seen, fieldsExpire ? 1 : 0, databases];
      return encodeCommand(['EVAL', scriptSource('compare'), 1, out, ...header, ...args.slice(3)]);
    }
    case LIST:
      return encodeCommand(['EVAL', scriptSource('list'), 1, out, databases, ...args.slice(1)]);
    case ANSWER:
    case LISTED:
      onAnswer(args);
      return undefined;
    default:
      return undefined;
  }
}
