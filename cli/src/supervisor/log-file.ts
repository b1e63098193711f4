import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** A log is moved to `<name>.1`, in place of the one before, when it reaches this size. */
const maxLogBytes = 5 * 1024 * 1024;

export interface LogFile extends Disposable {
  write(chunk: Buffer | string): void;
}

/**
 * Appends to a file of bounded size. Never throws: a full disk may cost log lines, but not the processes that write them.
 */
export function openLogFile(path: string, maxBytes = maxLogBytes): LogFile {
  let fd: number | undefined;
  let size = 0;
  const open = () => {
    fd = openSync(path, "a", 0o600);
    size = fstatSync(fd).size;
  };
  const close = () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const rotate = () => {
    close();
    renameSync(path, `${path}.1`);
    open();
  };
  return {
    write(chunk) {
      try {
        if (fd === undefined) open();
        if (size > 0 && size + chunk.length > maxBytes) rotate();
        if (fd !== undefined) size += writeSync(fd, chunk as string);
      } catch {
        close();
      }
    },
    [Symbol.dispose]: close,
  };
}
