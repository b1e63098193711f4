import { acceptContract } from "./accept.contract.ts";
import { blobContract } from "./blobs.contract.ts";
import { boundsContract } from "./bounds.contract.ts";
import { keepingContract } from "./keeping.contract.ts";
import { mailboxContract } from "./mailbox.contract.ts";
import { outboundContract } from "./outbound.contract.ts";
import { sessionsContract } from "./sessions.contract.ts";
import { starterContract } from "./starter.contract.ts";
import type { OpenQueue } from "./testing.ts";
import { turnContract } from "./turns.contract.ts";
import { usageContract } from "./usage.contract.ts";

/** What every implementation of QueueStore has to do. */
export function queueStoreContract(open: OpenQueue): void {
  acceptContract(open);
  mailboxContract(open);
  turnContract(open);
  sessionsContract(open);
  starterContract(open);
  outboundContract(open);
  keepingContract(open);
  boundsContract(open);
  usageContract(open);
  blobContract(open);
}
