import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

/** The attacks that tests in this folder try, each by a test whose name begins with the number. */
const covered: Readonly<Record<string, string>> = {
  // Where a request leads.
  A1: "Ask for a cloud's metadata service, by its address or by a name that leads there.",
  A2: "Ask for the inside of a cluster: its API server, its nodes, its private networks.",
  A3: "Spell loopback in a way that a filter does not know: numbers, octal, other digits, a dot at the end.",
  A4: "Wrap a forbidden IPv4 address in one of IPv6: mapped, compatible, translated, tunnelled.",
  A5: "Hang a zone on an address, so that a check and a dialler read two hosts.",
  A6: "Have the proxy call itself or another port of its machine.",
  A7: "Name an address instead of a host, so that a check at look-up never runs.",
  A8: "Answer the check of a name with a good address and the connection with a bad one.",
  A9: "Own a name that a wildcard covers, or that looks as if it did, and lead it to a private address.",
  A10: "Profit from a host pattern that also matches names nobody meant.",
  A11: "Use an allowed host's other ports.",
  A12: "Spell a host so that a rule and a connection mean two: other letters, a user, brackets, empty labels.",
  A13: "Carry data out in the names that are looked up.",
  // What an answer or a second name of the host leads to.
  B1: "Have an allowed host redirect the request with its key to another.",
  B2: "Have the key sent without encryption, at once or after a redirect.",
  B3: "Steer the client past the proxy by headers of an answer.",
  B5: "Send two Host headers, or one that holds more than a host.",
  B9: "Find a host where a key is put in although another rule than that key's judges the request.",
  // What two parsers read in two ways.
  C1: "Say the length of a body twice or wrongly, so that a second request hides in the first.",
  C2: "Use a transfer encoding that the next server understands otherwise.",
  C3: "Send a body where none belongs, or lose its framing on the way.",
  C4: "Write a path that turns into another one further on: dot segments, encoded slashes, backslashes, fragments.",
  C5: "Put a host of one's own into the target of the request.",
  C6: "Have the header with the key dropped on the way, by naming it in Connection.",
  C7: "Send a second key in a header that only some servers take for the same.",
  C8: "Break out of the header through line breaks in the key.",
  C9: "Flood the proxy with a head that is too large.",
  C10: "Send a further request behind an upgrade, past all checks.",
  C11: "Have a body accepted before its head is judged.",
  C12: "Split an answer in two, or never come to it.",
  C13: "Get into another credential's connection.",
  // How a key could be got, used or seen.
  D1: "Take the placeholder elsewhere: to the upstream, another session's proxy, the mailbox.",
  D2: "Use one credential's placeholder at another credential's host.",
  D3: "Carry data out with a key of one's own at an allowed host.",
  D4: "Have the upstream send the key back, in a header, an error, a stream, or encoded.",
  D5: "Have it sent back in a form that can't be looked through.",
  D6: "Use methods that answer with the request itself.",
  D8: "Use the key to have another made or shown.",
  D10: "Guess a placeholder by how long its comparison takes.",
  D11: "Read keys or addresses out of the error texts of libraries.",
  D12: "Read the key out of the process: inspector, reports, environment, arguments.",
  // How the proxy could be kept busy or filled up.
  F1: "Hold connections open with heads and bodies that never come.",
  F2: "Fill the memory with large bodies and slow readers, or keep the mailbox from getting through.",
  F3: "Go away in the middle, so that the upstream works on for nobody and nothing is counted.",
  F4: "Open a WebSocket, which nothing judges after its first request.",
  F5: "Change to HTTP/2, which the rules were not written for.",
  F6: "Send or fetch what is too large to be kept.",
  F7: "Answer with little that unpacks to very much.",
  F8: "Make the count of usage grow without end, or believe a number that the model only wrote.",
  F10: "Hang: a resolver, a connection, an answer that stops.",
  // How a decision could be evaded or outlive its end.
  G9: "Rely on a key that was just replaced.",
  G11: "Go on with a credential that was taken away.",
  G14: "Profit from a mistake in the rules.",
  G15: "Come in with a package that the proxy loads.",
};

const forwardHalf = "waits for the forward proxy, which has CONNECT and intercepts TLS; until then CONNECT is refused";
const approvals = "waits for approvals, which hold a request and ask people";
const budgets = "waits for budgets and rates; until then usage is counted and reported, not limited";
const pods = "waits for the pods of a cluster";
const sandbox = "is a matter of the sandbox, whose tests are the supervisor's and in e2e";

/** The attacks that no test in this folder tries yet, and why. */
const waiting: Readonly<Record<string, readonly [attack: string, reason: string]>> = {
  B4: ["Name one host to the proxy, another in TLS, and a third in the request.", forwardHalf],
  B6: ["Hide the host behind an allowed one in a tunnel that nobody looks into.", forwardHalf],
  B7: ["Open such a tunnel to a host whose requests have rules.", forwardHalf],
  B8: ["Ask with a whole URL, so that https turns into http.", `${forwardHalf}; a whole URL is refused, see C5`],
  D7: ["Have a token endpoint answer with a real token.", forwardHalf],
  D9: ["Have the upstream fetch a URL from where only it can.", "waits for policies about the content of a request"],
  // How an agent could get around its proxy, or at it.
  E1: ["Reach the network without the proxy.", sandbox],
  E2: ["Use the proxy of another pod.", pods],
  E3: ["Listen in the proxy's place while it restarts.", pods],
  E4: ["Answer for the health of the proxy.", pods],
  E5: ["Look into the proxy's process from the agent's.", sandbox],
  E6: ["Leave links or memory where the proxy will read or write.", sandbox],
  E7: ["Use the pod's own identity.", pods],
  E8: ["Listen to the proxy's traffic on the network that both share.", pods],
  E9: ["Starve the proxy of processor, memory or files.", pods],
  E10: ["Steal the authority that signs for intercepted hosts.", forwardHalf],
  E11: ["Reach logs, metrics or administration on the proxy's port.", pods],
  E12: ["Run a command in the proxy's container.", pods],
  F9: ["Blow up what people are shown before they approve.", approvals],
  G1: ["Have one request approved and send another.", approvals],
  G2: ["Ask so often that people approve everything.", approvals],
  G3: ["Write what is shown to people so that it misleads them.", approvals],
  G4: ["Approve one's own request.", approvals],
  G5: ["Repeat a request that is held, so that it happens twice.", approvals],
  G6: ["Get around a rate by spelling the same request differently.", budgets],
  G7: ["Overrun a budget by many requests at the same time.", budgets],
  G8: ["Hide usage from a budget, by breaking off or by an unknown model.", budgets],
  G10: ["Use up or lose the token that refreshes others.", "waits for OAuth, whose tokens the proxy refreshes itself"],
  G12: [
    "Cut the proxy off from who decides, and go on by old rules.",
    "waits for the cluster; on one machine the rules are a file, of which the last good one stays in force",
  ],
  G13: ["Act without a record of it.", "waits for the audit log"],
};

describe("the catalogue of attacks", () => {
  it("names as covered what has a test here, and nothing else", async () => {
    const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".test.ts"));
    const texts = await Promise.all(files.map((name) => readFile(join(import.meta.dirname, name), "utf8")));
    const tested = texts.flatMap((text) => [...text.matchAll(/\bit\("([A-G]\d+):/g)].map(([, row = ""]) => row));
    assert.deepEqual([...new Set(tested)].toSorted(), Object.keys(covered).toSorted());
  });

  it("has every number once: none is both covered and waiting, none is left out", () => {
    const rows = [...Object.keys(covered), ...Object.keys(waiting)];
    const bySection = Object.groupBy(rows, ([section = ""]) => section);
    for (const [section, own = []] of Object.entries(bySection)) {
      const expected = own.map((_, index) => `${section}${index + 1}`);
      assert.deepEqual(own.toSorted(), expected.toSorted());
    }
    assert.deepEqual(Object.keys(bySection).toSorted(), [..."ABCDEFG"]);
  });
});
