/** One value in the Distinguished Encoding Rules of ASN.1. Only what certificates need. */
export type Der = Buffer;

export const sequence = (...parts: readonly Der[]): Der => tagged(0x30, Buffer.concat(parts));
export const set = (...parts: readonly Der[]): Der => tagged(0x31, Buffer.concat(parts));
/** @param bytes of a positive number, the first below 0x80 */
export const integer = (bytes: Buffer): Der => tagged(0x02, bytes);
export const octets = (bytes: Buffer): Der => tagged(0x04, bytes);
export const text = (value: string): Der => tagged(0x0c, Buffer.from(value));
export const truth: Der = Buffer.from([0x01, 0x01, 0xff]);

/** @param unused bits at the end of the last byte */
export const bits = (bytes: Buffer, unused: number): Der => tagged(0x03, Buffer.concat([Buffer.from([unused]), bytes]));

/** @param form `plain`: the bytes are the value itself, not a value in the encoding */
export const context = (number: number, content: Buffer, form?: "plain"): Der =>
  tagged((form === "plain" ? 0x80 : 0xa0) + number, content);

/** Seconds; two digits of the year until 2049, as certificates must have it. */
export function time(date: Date): Der {
  const digits = `${date.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`;
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

/** @param id such as `2.5.29.17` */
export function oid(id: string): Der {
  const [first = 0, second = 0, ...rest] = id.split(".").map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Seven bits to a byte, the highest bit set on all but the last. */
function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}

function tagged(tag: number, content: Buffer): Der {
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
