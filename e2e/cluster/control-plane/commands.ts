import { type EtcdKeys, type KeyFiles, type Pki, serviceAccountIssuer } from "../pki/pki.ts";

export type CommandLine = readonly [program: string, ...args: string[]];

export interface EtcdOptions {
  readonly program: string;
  readonly dataFolder: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly keys: EtcdKeys;
}

export const etcdCommand = ({ program, dataFolder, host, port, peerPort, keys }: EtcdOptions): CommandLine => {
  const url = `https://${host}:${port}`;
  const peer = `https://${host}:${peerPort}`;
  return [
    program,
    "--name=main",
    `--data-dir=${dataFolder}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=main=${peer}`,
    `--cert-file=${keys.certificate}`,
    `--key-file=${keys.key}`,
    `--trusted-ca-file=${keys.authorityFile}`,
    "--client-cert-auth",
    `--peer-cert-file=${keys.certificate}`,
    `--peer-key-file=${keys.key}`,
    `--peer-trusted-ca-file=${keys.authorityFile}`,
    "--peer-client-cert-auth",
    // Only a crash of the machine could lose what is not yet on the disk, and a test cluster is made anew then.
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
};

export interface ApiServerOptions {
  readonly program: string;
  readonly host: string;
  readonly port: number;
  /** Such as `https://127.0.0.1:2379`. */
  readonly etcd: string;
  readonly etcdKeys: EtcdKeys;
  readonly pki: Pki;
  readonly keys: KeyFiles;
  readonly auditPolicyFile: string;
  readonly auditLog: string;
  readonly serviceRange: string;
  readonly flags: readonly string[];
}

export const apiServerCommand = (options: ApiServerOptions): CommandLine => [
  options.program,
  `--bind-address=${options.host}`,
  `--advertise-address=${options.host}`,
  `--secure-port=${options.port}`,
  `--etcd-servers=${options.etcd}`,
  `--etcd-cafile=${options.etcdKeys.authorityFile}`,
  `--etcd-certfile=${options.etcdKeys.certificate}`,
  `--etcd-keyfile=${options.etcdKeys.key}`,
  `--tls-cert-file=${options.keys.certificate}`,
  `--tls-private-key-file=${options.keys.key}`,
  `--client-ca-file=${options.pki.authorityFile}`,
  "--anonymous-auth=false",
  "--authorization-mode=Node,RBAC",
  `--service-account-issuer=${serviceAccountIssuer}`,
  `--service-account-key-file=${options.pki.serviceAccounts.publicKey}`,
  `--service-account-signing-key-file=${options.pki.serviceAccounts.privateKey}`,
  `--service-cluster-ip-range=${options.serviceRange}`,
  `--audit-policy-file=${options.auditPolicyFile}`,
  `--audit-log-path=${options.auditLog}`,
  "--profiling=false",
  ...options.flags,
];

/** Of an API server that has no node and no controller beside it. */
export const aloneFlags = [
  // Its own Service would get the loopback address as endpoint, which is not allowed.
  "--endpoint-reconciler-type=none",
  // It refuses pods until a controller has made the service accounts.
  "--disable-admission-plugins=ServiceAccount",
];
