/** What a key holds in the model. A HyperLogLog is the set of what it has observed. */
export type Value =
  | { readonly type: 'string'; text: string }
  | {
      readonly type: 'hash';
      readonly cells: Map<string, string>;
      /** Of fields that have one, the time in milliseconds at which they expire. */
      readonly deadlines?: Map<string, number>;
    }
  | { readonly type: 'set'; readonly cells: Map<string, string> }
  | { readonly type: 'zset'; readonly cells: Map<string, string> }
  | { readonly type: 'list'; elements: string[] }
  | { readonly type: 'stream'; entries: Entry[]; lastId: string; readonly groups: Map<string, Group> }
  | { readonly type: 'hyperloglog'; readonly cells: Map<string, string> };

export type ValueType = Value['type'];

/** One entry of a stream; the fields are kept as one text. */
export interface Entry {
  readonly id: string;
  readonly fields: string;
}

/** A consumer group: what was delivered last, and to whom what is still pending. */
export interface Group {
  lastId: string;
  readonly pending: Map<string, string>;
}

/** A key's value and, if it has one, the time in milliseconds at which it expires. */
export interface Slot {
  value: Value;
  expiresAt: number | undefined;
}

export function cloneSlot(slot: Slot | undefined): Slot | undefined {
  return slot && { value: cloneValue(slot.value), expiresAt: slot.expiresAt };
}

function cloneValue(value: Value): Value {
  switch (value.type) {
    case 'string':
      return { ...value };
    case 'list':
      return { type: 'list', elements: [...value.elements] };
    case 'stream':
      return {
        type: 'stream',
        entries: [...value.entries],
        lastId: value.lastId,
        groups: new Map(
          [...value.groups].map(([name, { lastId, pending }]) => [
            name,
            { lastId, pending: new Map(pending) },
          ]),
        ),
      };
    case 'hash':
      return { type: 'hash', cells: new Map(value.cells), deadlines: new Map(value.deadlines) };
    default:
      return { type: value.type, cells: new Map(value.cells) };
  }
}

/** Elements, members, fields, entries; 1 for a string. */
export function sizeOf(value: Value): number {
  switch (value.type) {
    case 'string':
      return 1;
    case 'list':
      return value.elements.length;
    case 'stream':
      return value.entries.length;
    default:
      return value.cells.size;
  }
}

/** A text that is equal for equal slots, whatever the order they were filled in. */
export function showSlot(slot: Slot | undefined): string {
  if (!slot) return 'nothing';
  return `${showValue(slot.value)}${slot.expiresAt === undefined ? '' : ` until ${slot.expiresAt}`}`;
}

function showValue(value: Value): string {
  switch (value.type) {
    case 'string':
      return JSON.stringify(value.text);
    case 'list':
      return `[${value.elements.join(' ')}]`;
    case 'stream': {
      const entries = value.entries.map(({ id, fields }) => `${id}=${fields}`).join(' ');
      const groups = [...value.groups].map(
        ([name, { lastId, pending }]) => ` ${name}@${lastId}(${pairs(pending)})`,
      );
      return `stream[${entries}] last ${value.lastId}${groups.toSorted().join('')}`;
    }
    case 'hash': {
      const until = pairs(new Map([...(value.deadlines ?? [])].map(([field, at]) => [field, String(at)])));
      return `hash{${pairs(value.cells)}}${until === '' ? '' : ` until{${until}}`}`;
    }
    default:
      return `${value.type}{${pairs(value.cells)}}`;
  }
}

function pairs(map: ReadonlyMap<string, string>): string {
  return [...map]
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .toSorted()
    .join(' ');
}

/** Orders stream IDs (`ms-seq`, or `ms`). */
export function compareIds(left: string, right: string): number {
  const [leftMs, leftSequence = '0'] = left.split('-');
  const [rightMs, rightSequence = '0'] = right.split('-');
  return Number(leftMs) - Number(rightMs) || Number(leftSequence) - Number(rightSequence);
}
