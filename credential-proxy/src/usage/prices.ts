import { priceTable } from "./price-table.ts";
import type { Counts } from "./scan.ts";

/** What follows the name of a model without making it another. */
const edition = /-(?:latest|\d{8}|\d{4}-\d{2}-\d{2})$/;

/** @returns millionths of a US dollar; undefined when the table does not know the model */
export function costMicros({
  model,
  inputTokens,
  outputTokens,
  cacheReadTokens,
  cacheWriteTokens,
}: Counts): number | undefined {
  const name = model.toLowerCase().replace(edition, "");
  const price = Object.hasOwn(priceTable, name) ? priceTable[name] : undefined;
  if (!price) return undefined;
  return Math.round(
    inputTokens * price.input +
      outputTokens * price.output +
      cacheReadTokens * price.cacheRead +
      cacheWriteTokens * price.cacheWrite,
  );
}
