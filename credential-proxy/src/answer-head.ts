/** About one connection, or a hint to leave this one; cookies would be refused when they come back. */
const droppedHeaders = new Set(
  ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"].concat(
    ["transfer-encoding", "upgrade", "alt-svc", "set-cookie", "set-cookie2", "x-copepod-error"],
  ),
);

/** The head of an upstream's answer, as the client may see it. */
export interface AnswerHead {
  readonly status: number;
  /** name, value, name, value … */
  readonly headers: readonly string[];
  readonly contentType: string;
  readonly isEncoded: boolean;
}

/** @param raw name, value, name, value … as it came from the network */
export function readAnswerHead(status: number, raw: readonly (Buffer | string)[]): AnswerHead {
  const all = raw.map((part) => (typeof part === "string" ? part : part.toString("latin1")));
  const headers: string[] = [];
  const listed = new Set(
    valuesOf(all, "connection")
      .flatMap((value) => value.split(","))
      .map((name) => name.trim().toLowerCase()),
  );
  for (let index = 0; index + 1 < all.length; index += 2) {
    const name = (all[index] ?? "").toLowerCase();
    if (!droppedHeaders.has(name) && !listed.has(name)) headers.push(all[index] ?? "", all[index + 1] ?? "");
  }
  const encoding = valuesOf(all, "content-encoding").join().toLowerCase();
  return {
    status,
    headers,
    contentType: (valuesOf(all, "content-type")[0] ?? "").toLowerCase(),
    isEncoded: encoding !== "" && encoding !== "identity",
  };
}

function valuesOf(all: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < all.length; index += 2) {
    if (all[index]?.toLowerCase() === name) values.push(all[index + 1] ?? "");
  }
  return values;
}
