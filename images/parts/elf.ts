const is64BitLittleEndian = "7f454c460201";
/** Offsets in the header of a 64-bit file, and in one of its program headers. */
const at = { programs: 32, sections: 40, programBytes: 54, programCount: 56, sectionCount: 60, sectionNames: 62 };
const inProgram = { offset: 8, fileBytes: 32 };

/**
 * A program without what only debuggers read: all that lies behind what is loaded. Done here, because the bytes must not
 * depend on which `strip` a machine has.
 * @throws Error when it is no 64-bit ELF file
 */
export function withoutSymbols(file: Buffer): Buffer {
  if (file.subarray(0, 6).toString("hex") !== is64BitLittleEndian) throw new Error("this is no 64-bit ELF file");
  const first = Number(file.readBigUInt64LE(at.programs));
  const bytes = file.readUInt16LE(at.programBytes);
  let end = first;
  for (let index = 0; index < file.readUInt16LE(at.programCount); index++) {
    const header = file.subarray(first + index * bytes, first + (index + 1) * bytes);
    const segment = header.readBigUInt64LE(inProgram.offset) + header.readBigUInt64LE(inProgram.fileBytes);
    end = Math.max(end, first + (index + 1) * bytes, Number(segment));
  }
  const loaded = Buffer.from(file.subarray(0, end));
  loaded.writeBigUInt64LE(0n, at.sections);
  loaded.writeUInt16LE(0, at.sectionCount);
  loaded.writeUInt16LE(0, at.sectionNames);
  return loaded;
}
