import { lstatSync, readlinkSync } from "node:fs";
import type { Mount } from "./view.ts";

/** Folders of programs and libraries. Many systems have links to /usr in place of all others. */
const programFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** What programs need of /etc and nobody has to hide: where libraries, certificates and time zones are, names of ports. */
const openConfiguration = [
  ...["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "os-release"],
  ...["ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/ca-trust/extracted", "pki/tls/certs", "crypto-policies"],
  ...["mime.types", "protocols", "services", "python3", "perl"],
].map((name) => `/etc/${name}`);

/** The machine's programs, as far as there are any, which can only be read; and a /tmp that is not the machine's. */
export function systemMounts(): readonly Mount[] {
  return [
    ...programFolders.flatMap(programFolder),
    ...openConfiguration.map((path): Mount => ({ kind: "read", path })),
    { kind: "scratch", path: "/tmp" },
  ];
}

function programFolder(path: string): readonly Mount[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSymbolicLink()) return [{ kind: "link", path, to: readlinkSync(path) }];
  return found?.isDirectory() ? [{ kind: "read", path }] : [];
}
