import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { KubeObject } from "@copepod/kube/object";
import { applyTable } from "../nftables.ts";
import { type Answer, type Dial, parseAnswer } from "./dial.ts";

const gateway = "10.244.0.1";
const nodeAddress = "10.200.0.1";

export interface Place {
  readonly address: string;
  /** Undefined for what is no pod. */
  readonly pod?: KubeObject;
}

const podOf = (namespace: string, name: string, about: { labels: object; address: string; http?: number }): Place => ({
  address: about.address,
  pod: {
    metadata: { namespace, name, labels: { ...about.labels } },
    spec: {
      containers: [
        {
          ports: [
            { name: "admin", containerPort: 8006 },
            ...(about.http === undefined ? [] : [{ name: "http", containerPort: about.http }]),
          ],
        },
      ],
    },
    status: { phase: "Running", podIP: about.address },
  },
});

/** Three namespaces with pods, the node between them, and two addresses outside. */
export const places = {
  web: podOf("shop", "web", { labels: { app: "web", tier: "front" }, address: "10.244.0.2", http: 80 }),
  client: podOf("shop", "client", { labels: { app: "client" }, address: "10.244.0.3" }),
  db: podOf("shop", "db", { labels: { app: "db", tier: "back" }, address: "10.244.0.4", http: 8000 }),
  guest: podOf("lab", "guest", { labels: { app: "client" }, address: "10.244.0.5" }),
  stranger: podOf("lab", "stranger", { labels: { app: "other", tier: "back" }, address: "10.244.0.6" }),
  dns: podOf("kube-system", "dns", { labels: { "k8s-app": "kube-dns" }, address: "10.244.0.7" }),
  outside: { address: "203.0.113.10" },
  outside2: { address: "203.0.113.20" },
  node: { address: nodeAddress },
  /** Its port 80 is web's 8000. */
  service: { address: "10.96.0.10" },
} as const satisfies Record<string, Place>;

export type PlaceName = keyof typeof places;

export const namespaces: readonly KubeObject[] = [
  { metadata: { name: "shop", labels: { team: "shop" } } },
  { metadata: { name: "lab", labels: { team: "lab" } } },
  { metadata: { name: "kube-system", labels: { "kubernetes.io/metadata.name": "kube-system" } } },
];

/** Namespaces are named by who lives in them first; the second address outside lives with the first. */
const residents = ["web", "client", "db", "guest", "stranger", "dns", "outside"] as const;
type Resident = (typeof residents)[number] | "node";

/** As kube-proxy does it, a pod that comes back to itself included. */
const serviceTable = `table ip service {
  chain arriving {
    type nat hook prerouting priority dstnat;
    ip daddr ${places.service.address} tcp dport 80 dnat to ${places.web.address}:8000
  }
  chain returning {
    type nat hook postrouting priority srcnat;
    ip saddr ${places.web.address} ip daddr ${places.web.address} masquerade
  }
}`;

export class World implements AsyncDisposable {
  readonly #places: ReadonlyMap<Resident, Inhabitant>;
  #dials = 0;

  private constructor(all: ReadonlyMap<Resident, Inhabitant>) {
    this.#places = all;
  }

  /** Each place is a process with a network namespace of its own: it ends with the process, and takes its wires along. */
  static async create(): Promise<World> {
    const all = [...residents, "node" as const];
    const started = await Promise.all(all.map(async (name) => [name, await Inhabitant.start()] as const));
    const world = new World(new Map(started));
    await world.#wire();
    await world.applyTable(serviceTable);
    return world;
  }

  async #wire(): Promise<void> {
    await this.run("node", ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    await this.run("node", ["ip", "link", "set", "lo", "up"]);
    await this.run("node", ["ip", "link", "add", "node0", "type", "bridge"]);
    await this.run("node", ["ip", "address", "add", `${nodeAddress}/24`, "dev", "node0"]);
    await this.run("node", ["ip", "link", "set", "node0", "up"]);
    await Promise.all(residents.map((resident, index) => this.#connect(resident, `wire${index}`)));
  }

  /** As the `ptp` CNI plug-in does it. */
  async #connect(resident: Resident, wire: string): Promise<void> {
    const addresses =
      resident === "outside" ? [places.outside.address, places.outside2.address] : [addressOf(resident)];
    const peer = ["peer", "name", "eth0", "netns", String(this.#at(resident).pid)];
    await this.run("node", ["ip", "link", "add", wire, "type", "veth", ...peer]);
    await this.run("node", ["ip", "address", "add", `${gateway}/32`, "dev", wire]);
    await this.run("node", ["ip", "link", "set", wire, "up"]);
    await this.run(resident, ["ip", "link", "set", "lo", "up"]);
    await this.run(resident, ["ip", "link", "set", "eth0", "up"]);
    for (const address of addresses) {
      await this.run("node", ["ip", "route", "add", `${address}/32`, "dev", wire]);
      await this.run(resident, ["ip", "address", "add", `${address}/32`, "dev", "eth0"]);
    }
    await this.run(resident, ["ip", "route", "add", gateway, "dev", "eth0"]);
    await this.run(resident, ["ip", "route", "add", "default", "via", gateway]);
  }

  /** @returns what it printed */
  async run(place: Resident, command: readonly string[]): Promise<string> {
    return await new Promise((resolve, reject) => {
      execFile("nsenter", [...this.#entry(place), ...command], (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });
  }

  #entry(place: Resident): string[] {
    return ["--net", "--target", String(this.#at(place).pid), "--"];
  }

  /** In the node. */
  async applyTable(table: string): Promise<void> {
    await applyTable(table, ["nsenter", ...this.#entry("node")]);
  }

  /** @returns whether an answer came back */
  async dial(from: PlaceName, dial: Omit<Dial, "id" | "from">): Promise<boolean> {
    this.#dials += 1;
    const id = String(this.#dials);
    if (from === "service") throw new Error("a Service only answers");
    if (from === "outside2") return await this.#at("outside").dial({ ...dial, id, from: places.outside2.address });
    return await this.#at(from).dial({ ...dial, id });
  }

  #at(place: Resident): Inhabitant {
    const found = this.#places.get(place);
    if (!found) throw new Error(`there is no ${place}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#places.values()].map((place) => place.end()));
  }
}

const addressOf = (place: PlaceName): string => places[place].address;

class Inhabitant {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (answer: Answer) => void>();

  private constructor(child: ChildProcess) {
    if (child.pid === undefined) throw new Error("unshare could not be started");
    this.pid = child.pid;
    this.#child = child;
    child.on("message", (message) => {
      const answer = parseAnswer(message);
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  static async start(): Promise<Inhabitant> {
    const program = fileURLToPath(new URL("place.ts", import.meta.url));
    const child = spawn("unshare", ["--net", process.execPath, program], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const failed = once(child, "exit").then(([code]) => {
      throw new Error(`a place ended at once (${code})`);
    });
    await Promise.race([once(child, "message"), failed]);
    failed.catch(() => undefined);
    return new Inhabitant(child);
  }

  async dial(dial: Dial): Promise<boolean> {
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(dial.id, resolve));
    this.#child.send(dial);
    return (await answered).isReached;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.disconnect();
    await gone;
  }
}
