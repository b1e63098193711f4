/** Names of environment variables that the supervisor (or the operator) sets and a program's `config.ts` reads. */
export const environment = {
  /** Folder of resources, queue, volumes and logs. */
  home: "COPEPOD_HOME",
  /** `1` = end when stdin closes: the program is the child of a supervisor. */
  endWithStdin: "COPEPOD_END_WITH_STDIN",
  logLevel: "COPEPOD_LOG_LEVEL",
  /** Days after which rows that have ended are removed. */
  retentionDays: "COPEPOD_RETENTION_DAYS",
  /** Paths of Unix sockets. */
  mailboxSocket: "COPEPOD_MAILBOX_SOCKET",
  channelSocket: "COPEPOD_CHANNEL_SOCKET",
  adminSocket: "COPEPOD_ADMIN_SOCKET",
  supervisorSocket: "COPEPOD_SUPERVISOR_SOCKET",
  proxySocket: "COPEPOD_PROXY_SOCKET",
  /** In a cluster, in the place of the socket: where a program reaches the router, such as `http://host:8081`. */
  mailboxUrl: "COPEPOD_MAILBOX_URL",
  channelUrl: "COPEPOD_CHANNEL_URL",
  /** Namespaces whose resources a program follows, with commas; the router then takes its resources from the cluster. */
  namespaces: "COPEPOD_NAMESPACES",
  /** Namespace and name of the own pod. */
  podNamespace: "COPEPOD_POD_NAMESPACE",
  podName: "COPEPOD_POD_NAME",
  /** User names, with commas, that may call all of the admin API. */
  admins: "COPEPOD_ADMINS",
  /** YAML file with the settings of the operator. */
  operatorConfig: "COPEPOD_OPERATOR_CONFIG",
  /** TCP ports of the router, other than those of `cluster.ts`: for several on one machine. */
  mailboxPort: "COPEPOD_MAILBOX_PORT",
  channelPort: "COPEPOD_CHANNEL_PORT",
  adminPort: "COPEPOD_ADMIN_PORT",
  /** TCP port of health and metrics. */
  metricsPort: "COPEPOD_METRICS_PORT",
  /** `uid:gid` to whom the proxy gives its socket, where the runner is another user than the proxy. */
  socketOwner: "COPEPOD_SOCKET_OWNER",
  /** File with the token of a proxy or adapter host; read anew for each request, since tokens rotate. */
  tokenFile: "COPEPOD_TOKEN_FILE",
  /** The session's random placeholder: authenticates the runner at its proxy. */
  placeholder: "COPEPOD_PLACEHOLDER",
  /** Folder that the proxy writes and the agent only reads. */
  instructionsDir: "COPEPOD_INSTRUCTIONS_DIR",
  /** JSON file with the rules of a session's proxy; read anew when it changes. */
  rulesFile: "COPEPOD_RULES_FILE",
  /** Folder of keys: one folder per secret, one file per key. Only the proxy gets it. */
  keysDir: "COPEPOD_KEYS_DIR",
  /** Folder in which harnesses are installed. */
  harnessesDir: "COPEPOD_HARNESSES_DIR",
  /** What keeps the session's processes apart from the machine. */
  sandbox: "COPEPOD_SANDBOX",
  sandboxImage: "COPEPOD_SANDBOX_IMAGE",
  workspace: "COPEPOD_WORKSPACE",
  agentDir: "COPEPOD_AGENT_DIR",
  /** Folder of the workspaces that the agent group shares with others, one folder each. */
  teamDir: "COPEPOD_TEAM_DIR",
  channelType: "COPEPOD_CHANNEL_TYPE",
} as const;
