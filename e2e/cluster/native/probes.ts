import { execFile } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { get as httpGet } from "node:http";
import { get as httpsGet, type RequestOptions } from "node:https";
import { connect } from "node:net";
import { promisify } from "node:util";
import type { KeyFiles } from "../pki/pki.ts";

const answerMs = 1_000;

/** Whether somebody listens on a Unix socket. */
export function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Whether a URL answers 200. Who answers is not checked: there is nobody else in the node's network. */
export async function answers(url: string, keys?: KeyFiles): Promise<boolean> {
  const identity = keys && { cert: await readFile(keys.certificate), key: await readFile(keys.key) };
  const options: RequestOptions = { timeout: answerMs, agent: false, rejectUnauthorized: false, ...identity };
  const get = url.startsWith("https:") ? httpsGet : httpGet;
  return await new Promise((resolve) => {
    const request = get(url, options);
    request.once("response", (response) => {
      response.destroy();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.once("close", () => resolve(false));
  });
}

export async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await promisify(execFile)(program, args);
    return true;
  } catch {
    return false;
  }
}

/** @param server address of a DNS server */
export async function resolves(name: string, server: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: answerMs, tries: 1 });
  resolver.setServers([server]);
  try {
    return (await resolver.resolve4(name)).length > 0;
  } catch {
    return false;
  }
}
