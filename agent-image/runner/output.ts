import type { AgentMessage } from "@copepod/core/mailbox-api";

export interface Output {
  /** The blocks in their order, trimmed; empty ones are left out. */
  readonly messages: readonly AgentMessage[];
  /** What stands outside the blocks and outside `<internal>`, trimmed. Delivered to nobody. */
  readonly scratchpad: string;
  /** The agent wrote `<internal>`: it may well have meant to say nothing. */
  readonly internal: boolean;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** An opening tag of a message; or, with `to` undefined, a whole `<internal>` passage. */
interface Start extends Span {
  readonly to: string | undefined;
}

/**
 * Reads a provider's final text: `<message to="name">…</message>` blocks, `<internal>…</internal>`, and the rest.
 * A block closes at the last closing tag before the next opening one, so that it may quote a closing tag.
 * Takes any string; the time is linear in its length.
 */
export function parseOutput(text: string): Output {
  const tags = findTags(text);
  const messages: AgentMessage[] = [];
  const outside: string[] = [];
  let internal = false;
  let at = 0;
  for (const block of blocks(text, tags)) {
    outside.push(text.slice(at, block.start));
    at = block.end;
    if (block.to === undefined) internal = true;
    else if (block.body !== "") messages.push({ to: block.to, text: block.body });
  }
  outside.push(text.slice(at));
  return { messages, scratchpad: outside.join("").trim(), internal };
}

interface Tags {
  readonly openings: readonly Start[];
  readonly closings: readonly Span[];
  readonly internals: readonly Start[];
}

interface Block extends Start {
  readonly body: string;
}

/** Message blocks and internal passages from left to right; none lies in another. */
function* blocks(text: string, { openings, closings, internals }: Tags): Generator<Block> {
  const starts = [...openings, ...internals].sort((a, b) => a.start - b.start);
  const nextOpening = cursor(openings);
  const nextClosing = cursor(closings);
  let at = 0;
  for (const start of starts) {
    if (start.start < at) continue;
    const limit = nextOpening.next(start.end)?.start ?? text.length;
    const block = start.to === undefined ? start : close(text, start, nextClosing.last(start.end, limit));
    if (block) yield { body: "", ...block };
    at = block?.end ?? start.end;
  }
}

function close(text: string, opening: Start, closing: Span | undefined): Block | undefined {
  if (!closing) return undefined;
  const body = withoutInternal(text.slice(opening.end, closing.start)).trim();
  return { start: opening.start, end: closing.end, to: opening.to, body };
}

/** Walks a sorted list forwards only: what keeps the whole parse linear. */
function cursor<T extends Span>(spans: readonly T[]) {
  let index = 0;
  return {
    /** The first that starts at or after a place. */
    next(from: number): T | undefined {
      while ((spans[index]?.start ?? Infinity) < from) index++;
      return spans[index];
    },
    /** The last that lies between two places. */
    last(from: number, to: number): T | undefined {
      this.next(from);
      let found: T | undefined;
      while ((spans[index]?.end ?? Infinity) <= to) found = spans[index++];
      return found;
    },
  };
}

function findTags(text: string): Tags {
  return {
    openings: findOpenings(text),
    closings: findAll(text, /<\/message\s{0,16}>/gi),
    internals: findInternals(text),
  };
}

// Attributes hold no `<`, so a text full of half tags is not read again from each of them.
const openingTag = /<message(\s[^<>]{0,600})>/gi;
const toAttribute = /(?:^|\s)to\s{0,16}=\s{0,16}(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))/i;

function findOpenings(text: string): Start[] {
  return [...text.matchAll(openingTag)].flatMap((match) => {
    const attribute = toAttribute.exec(match[1] ?? "");
    const to = (attribute?.[1] ?? attribute?.[2] ?? attribute?.[3] ?? "").trim();
    return to === "" ? [] : [{ start: match.index, end: match.index + match[0].length, to }];
  });
}

function findInternals(text: string): Start[] {
  const ends = cursor(findAll(text, /<\/internal>/gi));
  return findAll(text, /<internal>/gi).flatMap(({ start, end }) => {
    const closing = ends.next(end);
    return closing ? [{ start, end: closing.end, to: undefined }] : [];
  });
}

function withoutInternal(text: string): string {
  let kept = "";
  let at = 0;
  for (const { start, end } of findInternals(text)) {
    if (start < at) continue;
    kept += text.slice(at, start);
    at = end;
  }
  return kept + text.slice(at);
}

const findAll = (text: string, pattern: RegExp): Span[] =>
  [...text.matchAll(pattern)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
