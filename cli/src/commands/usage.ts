import type { UsageBy, UsageSum } from "@copepod/core/admin-api";
import { parseInput } from "@copepod/core/errors";
import { durationMs, durationSchema } from "@copepod/crds/duration";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { renderTable, type TableColumn } from "../output/table.ts";

export interface UsageOptions {
  readonly by: UsageBy;
  readonly since: string;
  readonly output?: "json";
}

const microsPerDollar = 1_000_000;

/** Sums of what requests to model APIs took. */
export async function usage(context: Context, { by, since, output }: UsageOptions): Promise<number> {
  const from = Date.now() - durationMs(parseInput(durationSchema, since));
  const { admin, namespace, close } = await context.connect(context.settings);
  try {
    const { items } = await admin.usage({ namespace, by, since: from });
    if (output === "json") print(context, JSON.stringify({ items }, null, 2));
    else if (items.length === 0) tell(context, `No requests to a model API in the last ${since}.`);
    else print(context, renderTable(columnsOf(by), items, false));
    return exitCodes.ok;
  } finally {
    await close();
  }
}

const columnsOf = (by: UsageBy): TableColumn<UsageSum>[] => [
  { heading: by, cell: ({ key }) => key },
  { heading: "Requests", cell: ({ requests }) => requests },
  { heading: "Failed", cell: ({ failed }) => failed },
  { heading: "Input", cell: ({ inputTokens }) => inputTokens },
  { heading: "Output", cell: ({ outputTokens }) => outputTokens },
  { heading: "Cache-read", cell: ({ cacheReadTokens }) => cacheReadTokens },
  { heading: "Cache-write", cell: ({ cacheWriteTokens }) => cacheWriteTokens },
  { heading: "Cost", cell: costText },
];

/** What has no price is said, so that nobody takes the sum for the whole. */
function costText({ costMicros, unpriced }: UsageSum): string {
  const cost = `$${(costMicros / microsPerDollar).toFixed(4)}`;
  return unpriced === 0 ? cost : `${cost} + ${unpriced} without a price`;
}
