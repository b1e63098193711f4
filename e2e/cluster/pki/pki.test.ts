import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Pki } from "./pki.ts";

describe("the keys of a cluster", () => {
  let home: string;
  let folder: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "pki-"));
    folder = join(home, "pki");
  });
  after(async () => await rm(home, { recursive: true }));

  it("are those of the earlier start, and nobody else can read them", async () => {
    const first = await Pki.open(folder);
    const made = await first.keep({ commonName: "ann" });
    const again = await Pki.open(folder);
    assert.equal(again.authority, first.authority);
    assert.deepEqual(await again.keep({ commonName: "ann" }), made);
    assert.equal((await stat(made.key)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });

  it("are made anew for another request, before they end, and where half of a pair is of another one", async () => {
    const pki = await Pki.open(folder);
    const ann = await pki.keep({ commonName: "ann" });
    const admin = await pki.keep({ commonName: "ann", organizations: ["admins"] });
    assert.notEqual(admin.certificate, ann.certificate);
    const short = { commonName: "ben", lifetimeMs: 60_000 };
    assert.notDeepEqual(await pki.keep(short), await pki.keep(short));
    await writeFile(ann.key, await readFile(admin.key));
    assert.notEqual((await pki.keep({ commonName: "ann" })).pair.certificate, ann.pair.certificate);
  });

  it("are of the authority that is there", async () => {
    const before = await (await Pki.open(folder)).keep({ commonName: "ann" });
    await rm(join(folder, "ca.key"));
    const pki = await Pki.open(folder);
    const after = await pki.keep({ commonName: "ann" });
    assert.notEqual(after.pair.certificate, before.pair.certificate);
    assert.ok(new X509Certificate(after.pair.certificate).verify(new X509Certificate(pki.authority).publicKey));
  });
});
