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
  const headers: string[] = [];
  const listed: string[] = [];
  let contentType = "";
  let encoding = "";
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const spelled = toText(raw[index]);
    const name = spelled.toLowerCase();
    const value = toText(raw[index + 1]);
    if (name === "content-type") contentType = value.toLowerCase();
    else if (name === "content-encoding") encoding += value.toLowerCase();
    else if (name === "connection") listed.push(...value.split(",").map((option) => option.trim().toLowerCase()));
    if (!droppedHeaders.has(name)) headers.push(spelled, value);
  }
  const isEncoded = encoding !== "" && encoding !== "identity";
  return { status, headers: without(headers, listed), contentType, isEncoded };
}

const toText = (part: Buffer | string | undefined): string =>
  typeof part === "object" ? part.toString("latin1") : (part ?? "");

/** The headers that `connection` names are about that connection too. */
function without(headers: string[], listed: readonly string[]): readonly string[] {
  if (listed.every((name) => name === "keep-alive" || name === "close")) return headers;
  return headers.filter((_, index) => !listed.includes((headers[index - (index % 2)] ?? "").toLowerCase()));
}
