/** What hostile programs are made of. Each ends with 0 when it has got what it wanted; they learn targets from variables. */

export const sh = (code: string): readonly string[] => ["/bin/sh", "-c", code];
export const node = (code: string): readonly string[] => [process.execPath, "--input-type=module", "-e", code];
export const python = (code: string): readonly string[] => ["/usr/bin/python3", "-c", code];

/** Node: a folder has an entry. */
export const lists = (folder: string, entry: string): string => `
import { readdirSync } from "node:fs";
process.exit(readdirSync(process.env.${folder}).includes("${entry}") ? 0 : 1);`;

/** Node: a key, by way of the root folders that /proc shows of processes. */
export const readThroughProc = `
import { readdirSync, readFileSync } from "node:fs";
for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
  try {
    readFileSync("/proc/" + pid + "/root" + process.env.KEY);
    process.exit(0);
  } catch {}
}
process.exit(1);`;

/** Node: a connection. @param to options of `connect`, in which `env` is the environment. */
export const connects = (to: string): string => `
import { connect } from "node:net";
const { env } = process;
connect(${to}).once("connect", () => process.exit(0)).once("error", () => process.exit(1));`;

const imports = "import ctypes, os, socket, struct, sys\nlibc = ctypes.CDLL(None, use_errno=True)\nenv = os.environ\n";

/** Python: a TCP connection to an address of the machine that is not loopback. */
export const connectsToAddress = `${imports}
socket.create_connection((env["ADDRESS"], int(env["PORT"])), 3)`;

export const connectsToAbstract = `${imports}
s = socket.socket(socket.AF_UNIX)
s.connect("\\0" + env["ABSTRACT"])`;

/** Python: a datagram is answered. @param to an expression for host and port. */
const asks = (to: string, question: string): string => `${imports}
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.sendto(${question}, ${to})
s.recv(100)`;

const dnsQuestion = String.raw`struct.pack(">6H", 1, 256, 1, 0, 0, 0) + b"\7example\3com\0" + struct.pack(">2H", 1, 1)`;

export const asksLoopback = asks("('127.0.0.1', int(env['PORT']))", 'b"x"');
export const asksAddress = asks("(env['ADDRESS'], int(env['PORT']))", 'b"x"');
export const asksName = asks("(env['ADDRESS'], int(env['PORT']))", dnsQuestion);

export const pings = `${imports}
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(3)
s.sendto(struct.pack("!BBHHH", 8, 0, ~(0x0800 + 2) & 0xffff, 1, 1), (env["ADDRESS"], 0))
s.recv(100)`;

/** A handle names a file without a path. It is taken of the visible part of the disk, and made to name the key. */
export const opensByHandle = `${imports}
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
mount = ctypes.c_int()
if libc.name_to_handle_at(-100, env["WORKSPACE"].encode(), handle, ctypes.byref(mount), 0) != 0: sys.exit(1)
folder = os.open(env["WORKSPACE"], os.O_RDONLY)
sys.exit(libc.open_by_handle_at(folder, handle, os.O_RDONLY) < 0)`;

/** Character device 1, 1 is the memory of the machine. */
export const makesDevice = `${imports}
path = env["SCRATCH"] + "/device"
os.mknod(path, 0o020600, os.makedev(1, 1))
os.remove(path)`;

export const traces = `${imports}
pid = int(env["PID"])
if libc.ptrace(16, pid, None, None) != 0: sys.exit(1)
os.waitpid(pid, 0x40000000)
libc.ptrace(17, pid, None, None)`;

export const readsMemory = `${imports}
open("/proc/" + env["PID"] + "/mem", "rb")`;

export const mounts = `${imports}
path = env["SCRATCH"].encode()
if libc.mount(b"none", path, b"tmpfs", 0, None) != 0: sys.exit(1)
libc.umount2(path, 2)`;

/** Its own copy of the mounts is what root changes outside; 4096 | 32 = bind, remount. */
export const mountsAgain = `${imports}
if env.get("OUTSIDE") and libc.unshare(0x20000) != 0: sys.exit(2)
if env.get("OUTSIDE"): libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)
if env.get("OUTSIDE"): libc.mount(b"/usr", b"/usr", None, 4096, None)
sys.exit(libc.mount(b"none", b"/usr", None, 4096 | 32, None) != 0)`;

/** @param flag of a namespace, as the kernel numbers it. */
export const unshares = (flag: number): string => `${imports}
sys.exit(libc.unshare(${flag}) != 0)`;

export const entersNamespace = `${imports}
sys.exit(libc.setns(os.open("/proc/self/ns/net", os.O_RDONLY), 0) != 0)`;

export const changesRoot = `${imports}
os.chroot("/")`;

export const becomesRoot = `${imports}
os.setuid(0)`;

export const allowsCoreDumps = `${imports}
import resource
resource.setrlimit(resource.RLIMIT_CORE, (1, 1))`;

/** A process that has left its parents and their terminal, under a name; another one stays. */
export const detached = (mark: string): readonly string[] =>
  sh(`setsid sh -c 'setsid python3 -c "${sleeps}" ${mark} & exit' & exec sleep 998`);

const sleeps = "import os, sys; os.execv('/bin/sleep', [sys.argv[1], '999'])".replaceAll("'", `'\\''`);
