import { z } from "zod";
import { CopepodError } from "./errors.ts";

/** The longest path that a Unix socket may have. */
const maxSocketPath = 107;

export const socketPathSchema = z.string().min(1).max(maxSocketPath);

/** `http://<host>:<port>`: within a cluster the programs speak plain HTTP, and nothing else belongs to the address. */
export const routerUrlSchema = z.string().regex(/^http:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}$/, {
  error: "must be http://<host>:<port>",
});

/** Where a program reaches the router. */
export type RouterAddress =
  | { readonly kind: "socket"; readonly socketPath: string }
  | { readonly kind: "url"; readonly url: string };

/** A value of the environment, and the variable's name. */
interface Given {
  readonly name: string;
  readonly value: string | undefined;
}

/** @throws CopepodError `invalid` unless exactly one of the two is there */
export function readRouterAddress(socket: Given, url: Given): RouterAddress {
  if (socket.value !== undefined && url.value === undefined) return { kind: "socket", socketPath: socket.value };
  if (socket.value === undefined && url.value !== undefined) return { kind: "url", url: url.value };
  throw new CopepodError("invalid", `set ${socket.name} or ${url.name}, and not both`);
}
