/** Longest last line that is kept of a process, in characters. */
const maxWordsLength = 500;
/** Text that is kept of the end of a process's output. */
const maxTailLength = 8_192;

export interface LastWords {
  hear(chunk: string): void;
  /** The line that says most about why the process ended; undefined when it said nothing. */
  line(): string | undefined;
}

/** Remembers the end of what a process writes. */
export function createLastWords(): LastWords {
  let tail = "";
  return {
    hear(chunk) {
      tail = (tail + chunk).slice(-maxTailLength);
    },
    line() {
      const lines = tail
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !isNoise(line));
      const said = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
      return said === undefined ? undefined : readable(said).slice(0, maxWordsLength);
    },
  };
}

/** Stack frames, and what Node prints below them. */
const isNoise = (line: string): boolean => /^(at |Node\.js v|[{}^]+$)/.test(line);

/** A line of a JSON log is shown as its message. */
function readable(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const { msg, err } = JSON.parse(line);
    return [msg, err?.message].filter((part) => typeof part === "string").join(": ") || line;
  } catch {
    return line;
  }
}
