/** A longer part goes to the socket as it is: a copy would cost more than to name it to the kernel. */
const LARGE_BYTES = 16 * 1024;

/** The same bytes in fewer pieces: each piece of a write costs the kernel about as much as copying a kilobyte. */
export function joinedParts(parts: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = [];
  let small: Buffer[] = [];
  const flush = (): void => {
    if (small.length > 0) joined.push(small.length === 1 ? small[0]! : Buffer.concat(small));
    small = [];
  };
  for (const part of parts) {
    if (part.length < LARGE_BYTES) small.push(part);
    else {
      flush();
      joined.push(part);
    }
  }
  flush();
  return joined;
}
