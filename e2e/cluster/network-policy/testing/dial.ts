import { z } from "zod";

/** Where every place listens, with TCP and UDP. */
export const listenedPorts = [53, 80, 443, 8000, 8005, 8006];

const dialSchema = z.object({
  id: z.string(),
  protocol: z.enum(["tcp", "udp"]),
  host: z.string(),
  port: z.int(),
  /** Own address to speak from. */
  from: z.string().optional(),
  /** TCP: the connection stays open under this name, and is used again. */
  keep: z.string().optional(),
  patienceMs: z.int(),
});

/** "Say something there, and tell me whether an answer came." */
export type Dial = z.infer<typeof dialSchema>;

export const isDial = (message: unknown): message is Dial => dialSchema.safeParse(message).success;

const answerSchema = z.object({ id: z.string(), isReached: z.boolean() });
export type Answer = z.infer<typeof answerSchema>;
export const parseAnswer = (message: unknown): Answer => answerSchema.parse(message);
