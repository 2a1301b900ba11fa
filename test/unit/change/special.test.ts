import { expect, test } from 'vitest';
import { payloadCommands } from '../../../src/apply/payload.js';
import { encodeNeed, isSpecial, LACK, parseNeed } from '../../../src/change/special.js';

test.each(Object.values(LACK).flatMap((lack) => [false, true].map((isHot) => ({ lack, isHot }))))(
  'a request says what its asker lacks, and whether its keys are hot: %o',
  (said) => {
    const need = {
      timestamp: 1234,
      ...said,
      keys: [
        { database: 0, key: Buffer.from('a') },
        { database: 3, key: Buffer.from([0, 255]) },
      ],
    };
    const [command] = payloadCommands(encodeNeed(need));
    expect(isSpecial(command!.args)).toBe(true);
    expect(parseNeed(command!.args)).toEqual(need);
  },
);
