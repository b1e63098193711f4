/** Tells a person what is going on, in one line. Whatever takes longer than two seconds says so here. */
export type Say = (line: string) => void;
