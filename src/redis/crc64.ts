/** CRC-64 (Jones, reflected, from 0) as it stands at the end of what `DUMP` gives. For a few bytes: it goes bit by bit. */
export function crc64(bytes: Buffer): Buffer {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  }
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(crc);
  return out;
}

/** 0xad93d23594c935a9, its bits turned round. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;
