/** The layout is that of Redis' hyperloglog.c: "HYLL", encoding, 3 bytes unused, 8 bytes cached count, registers. */
const HEADER_BYTES = 16;
const REGISTERS = 16_384;
const REGISTER_BITS = 6;
const DENSE_BYTES = HEADER_BYTES + (REGISTERS * REGISTER_BITS) / 8;

/**
 * The registers of a HyperLogLog, or undefined if the string is none. Two of them with the same registers are the same
 * value, whatever their encoding (which depends on the way they were built) and their cached count.
 */
export function registersOf(value: Buffer): Buffer | undefined {
  if (value.length < HEADER_BYTES || value.toString('latin1', 0, 4) !== 'HYLL') return undefined;
  if (value[4] === 0 && value.length === DENSE_BYTES) return dense(value);
  return value[4] === 1 ? sparse(value) : undefined;
}

function dense(value: Buffer): Buffer {
  const registers = Buffer.alloc(REGISTERS);
  for (let i = 0; i < REGISTERS; i++) {
    const bit = i * REGISTER_BITS;
    const at = HEADER_BYTES + (bit >> 3);
    const word = (value[at] ?? 0) | ((value[at + 1] ?? 0) << 8);
    registers[i] = (word >> (bit & 7)) & 0x3f;
  }
  return registers;
}

/** Opcodes: 00xxxxxx zeros (1–64); 01xxxxxx yyyyyyyy zeros (1–16384); 1vvvvvxx the value v+1 (1–32) for x+1 (1–4) registers. */
function sparse(value: Buffer): Buffer | undefined {
  const registers = Buffer.alloc(REGISTERS);
  let register = 0;
  for (let at = HEADER_BYTES; at < value.length; at++) {
    const opcode = value[at] ?? 0;
    if (opcode & 0x80) {
      const run = (opcode & 0x03) + 1;
      registers.fill(((opcode >> 2) & 0x1f) + 1, register, register + run);
      register += run;
    } else if (opcode & 0x40) {
      register += (((opcode & 0x3f) << 8) | (value[++at] ?? 0)) + 1;
    } else {
      register += (opcode & 0x3f) + 1;
    }
  }
  return register === REGISTERS ? registers : undefined;
}
