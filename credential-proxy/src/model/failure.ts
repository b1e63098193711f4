import { CopepodError } from "@copepod/core/errors";

/** Sentences by the code that Node or undici gives; the error's own text may hold addresses and is never shown. */
const sentences: Readonly<Record<string, string>> = {
  ENOTFOUND: "the host of the model API has no address",
  EAI_AGAIN: "the host of the model API can't be looked up at the moment",
  ECONNREFUSED: "the model API takes no connections",
  ETIMEDOUT: "the model API could not be reached in time",
  UND_ERR_CONNECT_TIMEOUT: "the model API could not be reached in time",
  UND_ERR_HEADERS_TIMEOUT: "the model API did not begin to answer in time",
  UND_ERR_BODY_TIMEOUT: "the model API stopped in the middle of its answer",
  UND_ERR_HEADERS_OVERFLOW: "the head of the model API's answer is too large",
};

/** What a client may know about an attempt that failed. */
export function toRefusal(error: unknown): CopepodError {
  if (error instanceof CopepodError) return error;
  const code = failureCode(error);
  const isCertificate = /CERT|SELF_SIGNED|ISSUER|SIGNATURE|TLS|SSL/.test(code);
  const sentence = isCertificate
    ? "the model API has no certificate that is trusted"
    : (sentences[code] ?? "the connection to the model API broke before its answer came");
  return new CopepodError("upstreamFailed", sentence, { cause: error });
}

/** For the log: a word, never a text that could hold what was sent. */
export function failureCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "unknown";
}
