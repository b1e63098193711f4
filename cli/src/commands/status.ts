import { type Context, print } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { describeProblem } from "./apply.ts";

/** How the system is, in short. @returns exit 1 when the router is not ready. */
export async function status(context: Context, { output }: { readonly output?: "json" }): Promise<number> {
  const { admin, namespace, close } = await context.connect(context.settings);
  try {
    const state = await admin.status({ namespace });
    if (output === "json") print(context, JSON.stringify(state, null, 2));
    else for (const line of describe(state, placeOf(context))) print(context, line);
    return state.ready ? exitCodes.ok : exitCodes.failure;
  } finally {
    await close();
  }
}

type State = Awaited<ReturnType<Awaited<ReturnType<Context["connect"]>>["admin"]["status"]>>;

const placeOf = ({ cluster, settings }: Context): string =>
  cluster ? `the cluster (agents in "${cluster.namespace}")` : settings.home;

function describe(state: State, place: string): string[] {
  return [
    `Copepod ${state.version} for ${place}: ${state.ready ? "ready" : "not ready"}`,
    ...state.reasons.map((reason) => `  ${reason}`),
    ...state.channels.map(({ channel, state: health, detail }) =>
      [`  channel ${channel}: ${health}`, detail].filter(Boolean).join(", "),
    ),
    ...state.problems.map((problem) => `  ${describeProblem(problem)}`),
  ];
}
