import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { podIds, podPaths, systemId } from "@copepod/core/cluster";
import { type Entry, folder, link, readTree, text } from "../layers/entries.ts";
import type { Package, Recipe } from "../layers/layer.ts";
import type { Debian, Locked } from "./debian.ts";

export const rootNames = ["system", "agent"] as const;
export type RootName = (typeof rootNames)[number];

interface Root {
  readonly title: string;
  /** What a lock is made from. */
  readonly packages: readonly string[];
  /** Whether their dependencies come with them. */
  readonly whole: boolean;
  /** What of the dependencies does not. */
  readonly without: readonly string[];
  readonly unwanted: RegExp;
  readonly entries: readonly Entry[];
}

const everywhere = [
  "usr/share/(man|info|locale|lintian|bash-completion|zsh|doc-base|bug|menu|pixmaps|applications|icons|gcc|gdb)(/|$)",
  "usr/share/doc/(?!.*copyright$)[^/]+/",
  "etc/(cron|apt|dpkg|kernel|logrotate|init|systemd|default|update-motd|sysctl|skel)[^/]*(/|$)",
  "usr/lib/(systemd|udev|tmpfiles\\.d|sysctl\\.d|sysusers\\.d)(/|$)",
  // Conversions between character sets that Node and Python do by themselves.
  "usr/lib/[^/]+/gconv/",
  // Of accounts and file systems: nothing here has a use for them, and some would run as root.
  "usr/bin/(su|newgrp|chfn|chsh|passwd|gpasswd|mount|umount)$",
  "usr/sbin/(?!ldconfig$|ip$)",
  "(proc|sys|dev|boot|home|media|srv|root)(/|$)",
];

/** Languages and programs that packages name as dependencies for parts of them that an agent does not use. */
const withoutPerl = [
  ...["perl", "perl-modules-5.36", "libperl5.36", "liberror-perl", "perl-base", "libgdbm-compat4"],
  ...["usrmerge", "libnumber-compare-perl", "libtext-glob-perl", "libfile-find-rule-perl"],
];
/** Installs packages and manages accounts; here there are none to manage. */
const withoutInstallers = [
  ...["dpkg", "debconf", "init-system-helpers", "adduser", "passwd", "libpam-modules", "libpam-modules-bin"],
  ...["libsemanage2", "libsemanage-common", "libsepol2", "git-man"],
];

const account = (name: string, id: number, home: string, shell: string) => `${name}:x:${id}:${id}::${home}:${shell}\n`;
const passwd = (home: string, shell: string) =>
  account("root", 0, "/", "/usr/sbin/nologin") +
  account("copepod", systemId, "/", "/usr/sbin/nologin") +
  account("agent", podIds.agent, home, shell) +
  account("proxy", podIds.proxy, "/", "/usr/sbin/nologin") +
  account("nobody", 65_534, "/", "/usr/sbin/nologin");
const group = `root:x:0:\ncopepod:x:${systemId}:\nagent:x:${podIds.agent}:\nproxy:x:${podIds.proxy}:\nnogroup:x:65534:\n`;

/** What no package brings along. Debian's folders of programs and libraries are links to those below `usr`. */
const common: readonly Entry[] = [
  ...["bin", "sbin", "lib", "lib64"].map((name) => link(name, `usr/${name}`)),
  ...["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "sys", "dev", "run"].map((path) => folder(path)),
  folder("tmp", 0o1777),
  text("etc/group", group),
  text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

const mountPoints = [podPaths.run, podPaths.workspace, podPaths.agent, podPaths.team, podPaths.mounts];

const roots: Readonly<Record<RootName, Root>> = {
  system: {
    title: "libraries for Node",
    // What Node is linked to, and the certificate authorities for `NODE_USE_SYSTEM_CA`. Node brings time zones along.
    packages: ["base-files", "libc6", "libstdc++6", "libgcc-s1", "libatomic1", "gcc-12-base", "ca-certificates"],
    whole: false,
    without: [],
    unwanted: new RegExp(`^(${[...everywhere, "usr/(s?bin|share/base-files)/", "var(/|$)"].join("|")})`),
    entries: [...common, text("etc/passwd", passwd("/", "/usr/sbin/nologin"))],
  },
  agent: {
    title: "Debian for agents",
    packages: [
      // What commands of a model take for granted.
      ...[
        "bash",
        "dash",
        "coreutils",
        "findutils",
        "grep",
        "sed",
        "mawk",
        "diffutils",
        "patch",
        "debianutils",
        "hostname",
      ],
      ...["tar", "gzip", "bzip2", "xz-utils", "zip", "unzip", "file", "less", "procps", "util-linux", "tzdata"],
      // Sources and the web, and reading what comes from there. Python with its library: the minimal one can't read JSON.
      ...["git", "curl", "ca-certificates", "openssh-client", "jq", "ripgrep", "python3"],
      // What Node is linked to.
      ...["base-files", "libc6", "libc-bin", "libstdc++6", "libgcc-s1", "libatomic1"],
      // Ends what the agent's commands leave behind: Node as the first process of a container would not.
      "tini",
    ],
    whole: true,
    without: [...withoutPerl, ...withoutInstallers],
    unwanted: new RegExp(
      `^(${[...everywhere, "var/(cache|backups)/", "usr/share/(perl5|python3/runtime\\.d)/"].join("|")})`,
    ),
    entries: [
      ...common,
      text("etc/passwd", passwd(`${podPaths.workspace}/home`, "/bin/bash")),
      ...mountPoints.map((path) => folder(path.slice(1))),
      // Set by Debian's installer.
      link("usr/bin/sh", "dash"),
      link("usr/bin/awk", "mawk"),
      link("usr/bin/pager", "less"),
      link("usr/bin/which", "which.debianutils"),
    ],
  },
};

/** Packages of a root file system as they are today. */
export async function lockOf(name: RootName, debian: Debian): Promise<Locked[]> {
  const { packages, whole, without } = roots[name];
  const all = await debian.resolve(packages);
  const wanted = all.filter((each) => (whole ? !without.includes(each.name) : packages.includes(each.name)));
  return wanted.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export interface RootOptions {
  readonly debian: Debian;
  readonly packages: readonly Locked[];
  /** Folder for what is unpacked meanwhile. */
  readonly work: string;
  readonly architecture: string;
}

export function rootRecipe(name: RootName, { debian, packages, work, architecture }: RootOptions): Recipe {
  const { title, unwanted, entries } = roots[name];
  return {
    title,
    key: [name, JSON.stringify(entries), ...packages.map(({ sha256 }) => sha256)],
    async make() {
      const files = await debian.fetch(packages);
      await mkdir(work, { recursive: true });
      const unpacked = await mkdtemp(join(work, `.${name}-`));
      try {
        await debian.unpack(files, unpacked);
        const tree = await readTree(unpacked, (path) => place(path, unwanted));
        const all = [
          ...(await inMemory(tree)),
          ...(await authorities(unpacked)),
          ...(await Promise.all(files.map((file, index) => note(debian, file, packages[index])))),
          ...entries,
        ];
        return { entries: all, packages: packages.map((each) => debianPackage(each, architecture)) };
      } finally {
        await rm(unpacked, { recursive: true, force: true });
      }
    },
  };
}

function place(path: string, unwanted: RegExp): string | undefined {
  const merged = /^(bin|sbin|lib|lib64)(\/|$)/.test(path) ? `usr/${path}` : path;
  return unwanted.test(merged) ? undefined : merged;
}

/** The folder is gone by the time that they are packed. */
async function inMemory(entries: readonly Entry[]): Promise<Entry[]> {
  const read = entries.map(async (entry): Promise<Entry> => {
    if (entry.kind !== "file" || "bytes" in entry.content) return entry;
    return { ...entry, content: { bytes: await readFile(entry.content.source) } };
  });
  return await Promise.all(read);
}

/** All authorities of Debian in one file, which is what its package does when it is installed. */
async function authorities(unpacked: string): Promise<Entry[]> {
  const found = await readTree(join(unpacked, "usr/share/ca-certificates"), (path) => path);
  const files = found.flatMap((entry) =>
    entry.kind === "file" && "source" in entry.content ? [entry.content.source] : [],
  );
  const certificates = await Promise.all(files.sort().map(async (file) => await readFile(file, "utf8")));
  return [text("etc/ssl/certs/ca-certificates.crt", certificates.map((each) => `${each.trimEnd()}\n`).join(""))];
}

/** Where scanners look for what an image without a package manager is made of. */
async function note(debian: Debian, file: string, locked: Locked | undefined): Promise<Entry> {
  return text(`var/lib/dpkg/status.d/${locked?.name}`, await debian.describe(file));
}

const debianPackage = ({ name, version }: Locked, architecture: string): Package => ({
  purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`,
  name,
  version,
});
