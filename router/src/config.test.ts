import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readConfig } from "./config.ts";

const sockets = {
  COPEPOD_MAILBOX_SOCKET: "/run/m.sock",
  COPEPOD_CHANNEL_SOCKET: "/run/c.sock",
  COPEPOD_ADMIN_SOCKET: "/run/a.sock",
  COPEPOD_SUPERVISOR_SOCKET: "/run/s.sock",
};
const home = { COPEPOD_HOME: "/data" };
const cluster = { ...home, COPEPOD_NAMESPACES: "agents, others,agents", KUBERNETES_SERVICE_HOST: "10.0.0.1" };

describe("the router's environment", () => {
  it("means one machine with its sockets, and names the one that is missing", () => {
    const { place } = readConfig({ ...home, ...sockets });
    assert.ok(place.kind === "local");
    assert.deepEqual([place.sockets.admin, place.resourcesDir], ["/run/a.sock", "/data/resources"]);
    const { COPEPOD_ADMIN_SOCKET: _, ...less } = sockets;
    assert.throws(() => readConfig({ ...home, ...less }), { code: "invalid", message: /COPEPOD_ADMIN_SOCKET/ });
  });

  it("means a cluster as soon as it names namespaces: as the pod, at the ports that everybody knows", () => {
    const { place } = readConfig({ ...cluster, COPEPOD_ADMINS: "ada" });
    assert.ok(place.kind === "cluster");
    assert.deepEqual(place.namespaces, ["agents", "others"]);
    assert.deepEqual(place.admins, ["ada"]);
    assert.deepEqual(place.ports, { mailbox: 8081, channel: 8082, admin: 8083, metrics: 9090 });
    assert.deepEqual(place.access, { kind: "pod", host: "10.0.0.1", port: "443" });
  });

  it("may name kubeconfigs, and must when this is no pod", () => {
    const { place } = readConfig({ ...cluster, KUBECONFIG: "/one:/two" });
    assert.deepEqual(place.kind === "cluster" && place.access, { kind: "kubeconfig", files: ["/one", "/two"] });
    const elsewhere = { ...home, COPEPOD_NAMESPACES: "agents" };
    assert.throws(() => readConfig(elsewhere), { code: "invalid", message: /KUBERNETES_SERVICE_HOST/ });
  });
});
