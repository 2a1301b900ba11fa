/** Local sequences above `seen` and up to `decided`: what the plan of a batch knows and its sender did not. */
export interface Range {
  readonly seen: number;
  readonly decided: number;
}
