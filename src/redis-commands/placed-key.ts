/** A key and the database it is in. */
export interface PlacedKey {
  readonly database: number;
  readonly key: Buffer;
}
