/** Local sequences above `seen` and up to `decided`. */
export interface Range {
  readonly seen: number;
  readonly decided: number;
}
