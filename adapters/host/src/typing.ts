import type { ChannelAdapter } from "@copepod/adapter-kit/adapter";
import type { Typing } from "@copepod/core/channel-api";

/** Platforms let a typing indicator go out after about five seconds. */
const refreshMs = 4_000;

export interface TypingDisplay extends Disposable {
  /** The conversations where the agent is at work now; replaces the last list. */
  show(list: readonly Typing[]): void;
}

/** Keeps typing indicators alive, best effort: at most one call under way, and no failure is told. */
export function createTypingDisplay(adapter: ChannelAdapter, signal: AbortSignal): TypingDisplay {
  let present: readonly Typing[] = [];
  let underWay = false;
  let stale = false;
  const refresh = async (): Promise<void> => {
    stale = underWay;
    if (underWay) return;
    underWay = true;
    for (const conversation of present) await adapter.typing?.(conversation, signal).catch(() => undefined);
    underWay = false;
    if (stale) await refresh();
  };
  const timer = setInterval(() => void (present.length > 0 && refresh()), refreshMs);
  return {
    show(list) {
      present = list;
      if (list.length > 0) void refresh();
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
