/** What happens to one send. Without a fault it is shown and answered at once. */
export type SendFault =
  /** Refused, not shown. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfterMs?: number }
  /** The connection breaks before the answer. */
  | { readonly kind: "drop"; readonly shown: boolean }
  /** No answer ever comes; the connection stays. */
  | { readonly kind: "hang"; readonly shown: boolean }
  /** Shown at once, answered late. */
  | { readonly kind: "slow"; readonly delayMs: number };

export interface EventsFault {
  readonly status: number;
  readonly retryAfterMs?: number;
}

export interface Faults {
  /** The next sends meet the fault, after those that were scripted before; `chat` = in this chat only. */
  sends(fault: SendFault, times: number, chat?: string): void;
  /** The next polls for events are refused. */
  events(fault: EventsFault, times: number): void;
  /** Most events that one poll hands out. */
  eventsPerPoll: number;
  /** Takes the next fault that applies. */
  nextSend(chat: string): SendFault | undefined;
  nextEvents(): EventsFault | undefined;
}

const defaultEventsPerPoll = 100;

export function createFaults(): Faults {
  const sends: { readonly fault: SendFault; readonly chat: string | undefined }[] = [];
  const events: EventsFault[] = [];
  return {
    eventsPerPoll: defaultEventsPerPoll,
    sends(fault, times, chat) {
      for (let time = 0; time < times; time++) sends.push({ fault, chat });
    },
    events(fault, times) {
      for (let time = 0; time < times; time++) events.push(fault);
    },
    nextSend(chat) {
      const index = sends.findIndex((entry) => entry.chat === undefined || entry.chat === chat);
      return index < 0 ? undefined : sends.splice(index, 1)[0]?.fault;
    },
    nextEvents: () => events.shift(),
  };
}
