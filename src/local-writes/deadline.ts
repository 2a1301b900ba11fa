/** The deadline of a key's life, or of a field's: ms since 1970, or that it has none. */
export type Deadline = number | 'none' | 'unknown';
