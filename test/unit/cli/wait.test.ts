import { expect, test } from 'vitest';
import { remaining } from '../../../src/cli/wait.js';
import { exampleStatus } from '../observe/example-status.js';

/** With nothing on its way that this site knows of. */
function atRest(): ReturnType<typeof exampleStatus> {
  const status = exampleStatus();
  status.outbound.changeListBatches = 0;
  status.inbound.inboxBatches = 0;
  return status;
}

test('nothing is in the way that is known here', () => {
  expect(remaining(atRest())).toEqual([]);
});

test('what stands in the way at the other site is told, and why', () => {
  const status = atRest();
  Object.assign(status.other!.inbound, { state: 'backing-off', reason: 'SERVER_BUSY' });
  expect(remaining(status)).toEqual(['east to west: backing-off at west (SERVER_BUSY)']);
  Object.assign(status.other!.inbound, { state: 'paused', pausedSince: 1 });
  expect(remaining(status)).toEqual(['east to west: paused at west']);
});

test('a peer of which nothing is heard is named, and nothing that it told last', () => {
  const status = atRest();
  status.other!.inbound.pausedSince = 1;
  status.other!.heardMs = status.at - 38_000;
  expect(remaining(status)).toEqual(['nothing has been heard of west for 38 s: tandem health, at west']);
});
