/** IDs of stream entries as text: `milliseconds-sequence`, each an unsigned 64-bit number, beyond what a double holds. */

/** No entry has a higher ID. */
export const HIGHEST_ID = '18446744073709551615-18446744073709551615';

/** An ID in full: `5` is `5-0`. */
export function wholeId(id: string): string {
  return id.includes('-') ? id : `${id}-0`;
}

/** Whether the first of two whole IDs is below the second. */
export function isIdBelow(first: string, second: string): boolean {
  const [aMs = '', aSequence = ''] = first.split('-', 2);
  const [bMs = '', bSequence = ''] = second.split('-', 2);
  return aMs === bMs ? isNumberBelow(aSequence, bSequence) : isNumberBelow(aMs, bMs);
}

/** Decimals without leading zeros: the shorter is the smaller. */
function isNumberBelow(first: string, second: string): boolean {
  return first.length === second.length ? first < second : first.length < second.length;
}
