import type { FailureClass } from "@copepod/core/messages";

const classes: Readonly<Record<number, FailureClass>> = {
  401: "auth",
  402: "auth",
  403: "auth",
  408: "transient",
  409: "transient",
  425: "transient",
  429: "rateLimited",
};

/** What an HTTP status of a model API means for the turn. */
export const classOfStatus = (status: number): FailureClass =>
  classes[status] ?? (status >= 500 ? "transient" : "permanent");
