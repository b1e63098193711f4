/** Longest sentence of a condition or a reason, in UTF-16 units. */
const maxSentence = 1_024;

/** A text of others as one line of a bounded length, that reads back as it was written. */
export const asSentence = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, maxSentence)
    .toWellFormed();
