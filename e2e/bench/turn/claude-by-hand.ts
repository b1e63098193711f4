import { pathToFileURL } from "node:url";

/** The least that a program needs to ask Claude by the Agent SDK. Arguments: the SDK's file, model, prompt, "continue" or "". */
const [sdk = "", model = "", prompt = "", which = ""] = process.argv.slice(2);
const { query } = await import(pathToFileURL(sdk).href);
const options = {
  model,
  continue: which === "continue",
  permissionMode: "bypassPermissions",
  allowDangerouslySkipPermissions: true,
  settingSources: [],
};
for await (const message of query({ prompt, options })) {
  if (message.type === "result" && message.is_error) throw new Error(message.result);
}
