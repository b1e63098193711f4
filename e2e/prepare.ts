import { controlPlaneGate } from "./support/control-plane.ts";

/** Runs before tests that need a real API server: building its programs takes minutes, and a test file shows no progress. */
const reason = await controlPlaneGate();
if (reason !== false)
  process.stdout.write(`Not run, and skipped below: whatever needs a real API server (${reason})\n`);
