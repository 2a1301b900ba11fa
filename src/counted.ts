/** `1 key`, `2,000 keys`; `1 batch`, `3 batches`, `2 entries`. @param one the noun for one of them */
export function counted(count: number, one: string): string {
  const rounded = Math.round(count);
  return `${rounded.toLocaleString('en-US')} ${rounded === 1 ? one : pluralOf(one)}`;
}

/** The verb or pronoun that goes with a count. */
export function byNumber(count: number, forOne: string, forMore: string): string {
  return Math.round(count) === 1 ? forOne : forMore;
}

/** The nouns that are counted here are regular. The first word may stand for more: `batch of changes`. */
function pluralOf(one: string): string {
  const [, noun = one, rest = ''] = /^(\S+)(.*)$/.exec(one) ?? [];
  if (/(?:s|x|ch|sh)$/.test(noun)) return `${noun}es${rest}`;
  return /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies${rest}` : `${noun}s${rest}`;
}
