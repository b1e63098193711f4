import { gate } from "../cluster/testing/stage.ts";
import { tellInstallation } from "./tell.ts";

const can = process.platform === "linux" && process.getuid?.() === 0;
tellInstallation({ provider: "native", life: "node" }, gate(can, "a native cluster needs root on Linux"));
