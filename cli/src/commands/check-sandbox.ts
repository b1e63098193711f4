import { readFileSync } from "node:fs";
import { type Probe, probeBubblewrap } from "../supervisor/sandbox/choose-sandbox.ts";
import type { Finding } from "./finding.ts";

/** What of the kernel's settings decides whether ordinary users may make namespaces; undefined = not known here. */
export interface NamespaceSettings {
  readonly maxUserNamespaces: string | undefined;
  readonly unprivilegedClone: string | undefined;
  readonly appArmorRestricts: string | undefined;
}

/** Whether sessions can be kept apart from this machine. @param isNeeded an agent group has a provider that runs commands */
export async function checkSandbox(uid: number, isNeeded: boolean): Promise<Finding> {
  return judgeSandbox(
    await probeBubblewrap(uid),
    { uid, isNeeded },
    {
      maxUserNamespaces: setting("user/max_user_namespaces"),
      unprivilegedClone: setting("kernel/unprivileged_userns_clone"),
      appArmorRestricts: setting("kernel/apparmor_restrict_unprivileged_userns"),
    },
  );
}

export function judgeSandbox(
  probe: Probe,
  { uid, isNeeded }: { readonly uid: number; readonly isNeeded: boolean },
  settings: NamespaceSettings,
): Finding {
  if (probe.works) {
    const who = uid === 0 ? "each session is a user of its own" : "sessions are this user, in namespaces of their own";
    return { check: "sandbox", state: "ok", detail: `bubblewrap works; ${who}` };
  }
  const detail = `bubblewrap does not work: ${probe.reason}. Agents that run commands are refused; the demo runs none`;
  return {
    check: "sandbox",
    state: isNeeded ? "bad" : "info",
    detail,
    cure: `${cureOf(probe, settings)} \`--unsandboxed\` does without.`,
  };
}

function cureOf(probe: Exclude<Probe, { works: true }>, settings: NamespaceSettings): string {
  if (probe.missing) return "Install it: `apt install bubblewrap util-linux`, or `dnf install bubblewrap util-linux`.";
  if (settings.maxUserNamespaces === "0") return "Allow user namespaces: `sysctl -w user.max_user_namespaces=15000`.";
  if (settings.unprivilegedClone === "0") {
    return "Allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1`.";
  }
  if (settings.appArmorRestricts === "1") {
    return "Let AppArmor allow it to bubblewrap (profile bwrap-userns-restrict of the package apparmor-profiles), or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.";
  }
  return "It has to be version 0.8 or newer; in a container, the container has to allow user namespaces.";
}

function setting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return undefined;
  }
}
