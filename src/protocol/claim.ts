/** When a key was last written here, and by the peer as far as is known here; 0 where that is not known. In ms since 1970. */
export interface Claim {
  readonly ownMs: number;
  readonly peerMs: number;
}

export const NO_CLAIM: Claim = { ownMs: 0, peerMs: 0 };
