export interface Import {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
}

/** Statements at the start of a line, and calls of `import` anywhere; the only forms that our code has. */
const forms = [
  /^(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm,
  /^import\s+"([^"]+)"/gm,
  /\bimport\(\s*"([^"]+)"\s*\)/g,
];

/** What a TypeScript file imports, types included. */
export function readImports(source: string): Import[] {
  const found = forms.flatMap((form) =>
    [...source.matchAll(form)].map((match) => ({ specifier: match[1] ?? "", line: lineAt(source, match.index) })),
  );
  return found.sort((left, right) => left.line - right.line);
}

/** Line of a place in a text, from 1. */
export const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length;
