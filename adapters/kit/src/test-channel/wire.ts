import { z } from "zod";

/** The HTTP language of the scripted platform, as its adapter and its server both read it. */

const quote = z.object({ sender: z.string(), text: z.string() });

export const eventSchema = z.object({
  id: z.string(),
  chat: z.string(),
  kind: z.enum(["Direct", "Group"]),
  chatName: z.string().optional(),
  thread: z.string().optional(),
  sender: z.object({ id: z.string(), name: z.string().optional() }),
  text: z.string(),
  mentionsAgent: z.boolean(),
  quote: quote.optional(),
  /** UTC milliseconds. */
  at: z.int(),
});
export type PlatformEvent = z.output<typeof eventSchema>;

/** Answer of `GET /events?after=<cursor>&waitMs=<ms>`. */
export const eventsSchema = z.object({ events: z.array(eventSchema), cursor: z.int() });

/** Body of `POST /messages`. */
export const messageSchema = z.object({
  chat: z.string(),
  thread: z.string().optional(),
  text: z.string(),
  key: z.string(),
});
export type PlatformMessage = z.output<typeof messageSchema>;

export const sentSchema = z.object({ id: z.string() });

/** Answer of `GET /history?chat=<chat>&since=<ms>`: what the agent's account said there. */
export const historySchema = z.object({
  messages: z.array(
    z.object({
      id: z.string(),
      thread: z.string().optional(),
      text: z.string(),
      /** Missing on a platform that does not keep it. */
      key: z.string().optional(),
      at: z.int(),
    }),
  ),
});

/** Body of `POST /typing`. */
export const typingSchema = z.object({ chat: z.string(), thread: z.string().optional() });
