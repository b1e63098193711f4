import type { MessageRow } from "@copepod/core/admin-api";
import { ExitError } from "../exit-codes.ts";
import { printable } from "./render.ts";

/** What is known of a message that the agent has not answered. */
export interface Unanswered {
  /** undefined = the router could not be asked. */
  readonly row: MessageRow | undefined;
  /** A sentence of Copepod came in place of the answer. */
  readonly isTold: boolean;
}

/** Why there is no answer, when the turn has ended. */
export function unansweredError({ row, isTold }: Unanswered): ExitError {
  if (row?.code === "cancelled") {
    return new ExitError("unanswered", row.code, { message: "the turn was stopped before it had an answer" });
  }
  if (row?.state === "dead" || isTold) {
    const message = isTold
      ? "the message was not answered; the line above says why"
      : `the message was not answered: ${printable(row?.reason ?? "no reason is known")}`;
    return new ExitError("unanswered", row?.code ?? "providerFailed", { message, cure: deadCure });
  }
  return new ExitError("unanswered", "providerFailed", {
    message: "the agent ended its turn without an answer",
    cure: "It may have had nothing to say; ask again, in other words.",
  });
}

/** Why there is no answer yet. */
export function lateError(row: MessageRow | undefined): ExitError {
  const failed = row && failedTries(row);
  if (failed === undefined) {
    const message = "the answer did not come in time; the message is kept";
    return new ExitError("timeout", "timeout", { message });
  }
  return new ExitError("timeout", "timeout", {
    message: `the answer did not come in time: ${failed}`,
    cure: "Mend that; the message is kept, and tried again by itself.",
  });
}

const deadCure = "`copepod get dead-letters` lists it; `copepod retry <id>` sends it once more.";

/** How often a message was tried in vain, and why the last time; undefined = never, as far as is known. */
export function failedTries({ attempt, state, reason }: MessageRow): string | undefined {
  const tries = state === "leased" ? attempt - 1 : attempt;
  if (reason === undefined || tries < 1) return undefined;
  const said = printable(reason);
  return tries === 1 ? `tried once, and failed: ${said}` : `tried ${tries} times; the last time: ${said}`;
}
