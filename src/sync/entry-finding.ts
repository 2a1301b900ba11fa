import type { Finding } from '../protocol/messages/finding.js';

/** An expiry that a server cannot tell exactly, in ms. */
const ABOUT_MS = 5000;
/** A key whose time has come goes at each site by itself, a moment apart. */
const ENDING_MS = 1000;
const UNKNOWN_HALF = 'ffffffff';

interface Entry {
  readonly kind: string;
  readonly digest: string;
  readonly expires: number;
  readonly tolerance: number;
}

/**
 * The finding of two entries of a key, as `compare-keys.lua` makes it in one step.
 * @param options `arrives`: a stream in the order of arrival, of which half a digest may say nothing
 */
export function findingOf({
  theirs,
  own,
  nowMs,
  arrives,
}: {
  theirs: string;
  own: string;
  nowMs: number;
  arrives: boolean;
}): Finding {
  if (theirs === own) return 'equal';
  if (theirs.endsWith('!') || own.endsWith('!')) return 'passing';
  const [their, its] = [parted(theirs), parted(own)];
  const isEnding = ({ expires }: Entry): boolean => expires > 0 && expires <= nowMs + ENDING_MS;
  if (isEnding(their) || isEnding(its)) return 'passing';
  if (theirs === '-') return 'missing-there';
  if (own === '-') return 'missing-here';
  if (their.kind !== its.kind) return 'type';
  if (!areAlike(their.digest, its.digest, arrives)) return its.kind === 'o' ? 'not-comparable' : 'value';
  const isApart = Math.abs(their.expires - its.expires) > their.tolerance + its.tolerance;
  return isApart || their.expires > 0 !== its.expires > 0 ? 'expiry' : 'equal';
}

/** Whether a field that ends then may be gone at one site and not at the other. */
export function isFieldEnding(endsMs: number, nowMs: number): boolean {
  return endsMs <= nowMs + ENDING_MS;
}

function parted(entry: string): Entry {
  const [, expires = '0', about] = /:(\d+)(~?)/.exec(entry) ?? [];
  return {
    kind: entry.slice(0, 1),
    digest: entry.slice(1, 17),
    expires: Number(expires),
    tolerance: about === '~' ? ABOUT_MS : 0,
  };
}

function areAlike(one: string, other: string, arrives: boolean): boolean {
  if (!arrives) return one === other;
  return [0, 8].every((from) => {
    const [a, b] = [one.slice(from, from + 8), other.slice(from, from + 8)];
    return a === b || a === UNKNOWN_HALF || b === UNKNOWN_HALF;
  });
}
