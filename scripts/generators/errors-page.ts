import { code, pageHead, table } from "./markdown.ts";

interface ErrorEntry {
  readonly status: number;
  readonly meaning: string;
  readonly cure: string;
}

/** The page about every code that Copepod answers, prints or stores. */
export function errorsPage(catalogue: Readonly<Record<string, ErrorEntry>>): string {
  return [
    ...pageHead("Errors", "core/src/errors.ts"),
    "Every error has a code and a sentence. An HTTP answer carries them as",
    '`{"error": {"code": "…", "message": "…", "requestId": "…"}}`; a dead letter stores them with its row.',
    "",
    ...table(
      ["Code", "HTTP status", "Meaning", "Cure"],
      Object.entries(catalogue).map(([name, entry]) => [code(name), String(entry.status), entry.meaning, entry.cure]),
    ),
  ].join("\n");
}
