import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const source = (delayUs: number) => `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slowly(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  usleep(${delayUs});
  return real(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
`;

export interface SlowDisk extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

/** A library to preload that delays each fsync. Needs a C compiler; @throws when there is none. */
export async function buildSlowDisk(delayMs: number): Promise<SlowDisk> {
  const folder = await mkdtemp(join(tmpdir(), "copepod-slow-"));
  const library = join(folder, "slow.so");
  await writeFile(join(folder, "slow.c"), source(delayMs * 1_000));
  await promisify(execFile)("cc", ["-shared", "-fPIC", "-O2", "-o", library, join(folder, "slow.c"), "-ldl"]);
  return {
    env: { LD_PRELOAD: library },
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  };
}
