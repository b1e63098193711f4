/** What one chat was told, and what it showed, for the checker. */
export interface ChatRecord {
  readonly chat: string;
  /** How many numbered messages were said, 1 … said. */
  readonly said: number;
  /** Texts of the agent, in the order in which the chat shows them. */
  readonly answers: readonly string[];
}

export interface Verdict {
  readonly messages: number;
  /** Said, but in no answer of the chat. */
  readonly lost: number;
  /** Answers to a message beyond the first one. */
  readonly duplicated: number;
  /** Messages whose first answer stands behind the answer to a later one. */
  readonly outOfOrder: number;
  /** Answers that stand in another chat, or to what nobody said. */
  readonly misplaced: number;
  /** One line for each message with a fault. */
  readonly faults: readonly string[];
}

/** The text of a numbered message. The demo agent quotes each message once, in one answer. */
export const numbered = (chat: string, number: number): string => `this is [${chat}:${number}]`;

const marks = /\[([\w-]+):(\d+)\]/g;

/** Each numbered message has to be answered exactly once, in the order in which they were said, in its own chat. */
export function check(records: readonly ChatRecord[]): Verdict {
  const verdicts = records.map(checkChat);
  const sum = (pick: (verdict: Verdict) => number): number =>
    verdicts.reduce((total, verdict) => total + pick(verdict), 0);
  return {
    messages: sum((verdict) => verdict.messages),
    lost: sum((verdict) => verdict.lost),
    duplicated: sum((verdict) => verdict.duplicated),
    outOfOrder: sum((verdict) => verdict.outOfOrder),
    misplaced: sum((verdict) => verdict.misplaced),
    faults: verdicts.flatMap((verdict) => verdict.faults),
  };
}

/** How many of a chat's messages are answered. */
export function answered({ chat, said, answers }: ChatRecord): number {
  const numbers = answers.flatMap(readMarks).filter((mark) => mark.chat === chat && mark.number <= said);
  return new Set(numbers.map((mark) => mark.number)).size;
}

function checkChat({ chat, said, answers }: ChatRecord): Verdict {
  const found = answers.flatMap(readMarks);
  const isOurs = ({ chat: where, number }: Mark): boolean => where === chat && number >= 1 && number <= said;
  const ours = found.filter(isOurs).map(({ number }) => number);
  const firsts = [...new Set(ours)];
  const misplaced = found.filter((mark) => !isOurs(mark));
  const lost = Array.from({ length: said }, (_, index) => index + 1).filter((number) => !firsts.includes(number));
  const doubles = ours.filter((number, index) => ours.indexOf(number) !== index);
  const late = firsts.filter((number, index) => firsts.slice(0, index).some((before) => before > number));
  return {
    messages: said,
    lost: lost.length,
    duplicated: doubles.length,
    outOfOrder: late.length,
    misplaced: misplaced.length,
    faults: [
      ...lost.map((number) => `lost: [${chat}:${number}]`),
      ...doubles.map((number) => `duplicated: [${chat}:${number}]`),
      ...late.map((number) => `out of order: [${chat}:${number}]`),
      ...misplaced.map((mark) => `misplaced: [${mark.chat}:${mark.number}] in ${chat}`),
    ],
  };
}

interface Mark {
  readonly chat: string;
  readonly number: number;
}

const readMarks = (text: string): Mark[] =>
  [...text.matchAll(marks)].map(([, chat = "", number]) => ({ chat, number: Number(number) }));
