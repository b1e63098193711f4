import { isDeepStrictEqual } from "node:util";
import type { Problem } from "@copepod/core/admin-api";
import { type InForce, mergeFiles, toResources } from "./merge-files.ts";
import { type Entry, type FileContent, maxFileBytes, readResourceFile } from "./resource-file.ts";
import type { Resources } from "./resource-store.ts";
import { readBounded, readFailure, type Scan, type SeenFile } from "./scan-folder.ts";

/** Where a resource that counts is written. */
export interface Place {
  readonly path: string;
  /** Differs from the path for a symbolic link. */
  readonly target: string;
  /** Undefined when the file is bad, so that what counts is no longer what is written there. */
  readonly entry: Entry | undefined;
}

interface KnownFile {
  readonly seen: SeenFile;
  readonly content: FileContent;
}

/** What is known of the files of a folder, and what of it counts. Files are read again only when they changed. */
export class FolderState {
  resources: Resources = {
    agentGroups: new Map(),
    channels: new Map(),
    wirings: new Map(),
    users: new Map(),
    credentials: new Map(),
  };
  problems: readonly Problem[] = [];
  #known: ReadonlyMap<string, KnownFile> = new Map();
  #inForce: InForce = new Map();

  paths(): ReadonlySet<string> {
    return new Set(this.#known.keys());
  }

  isNews({ files }: Scan): boolean {
    if (files.size !== this.#known.size) return true;
    return [...files].some(([path, seen]) => this.#isChanged(path, seen));
  }

  /** @returns whether `resources` or `problems` changed. */
  async takeIn({ files, problems }: Scan): Promise<boolean> {
    const known = new Map<string, KnownFile>();
    for (const [path, seen] of files) {
      const before = this.#known.get(path);
      known.set(path, before && !this.#isChanged(path, seen) ? before : { seen, content: await readContent(seen) });
    }
    this.#known = known;
    const contents = new Map([...known].map(([path, { content }]) => [path, content]));
    const merged = mergeFiles(contents, this.#inForce);
    this.#inForce = merged.inForce;
    return this.#publish(toResources(merged.inForce, this.resources), [...problems, ...merged.problems]);
  }

  /** The folder itself can't be read: everything that counts stays. @returns whether that is news. */
  lose(problem: Problem): boolean {
    return this.#publish(this.resources, [problem]);
  }

  find(key: string): Place | undefined {
    for (const [path, entries] of this.#inForce) {
      const counting = entries.find((entry) => entry.key === key);
      const file = this.#known.get(path);
      if (!counting || !file) continue;
      const isWritten = file.content.ok && file.content.entries.includes(counting);
      return { path, target: file.seen.target, entry: isWritten ? counting : undefined };
    }
    return undefined;
  }

  #isChanged(path: string, seen: SeenFile): boolean {
    return this.#known.get(path)?.seen.fingerprint !== seen.fingerprint;
  }

  #publish(resources: Resources, problems: readonly Problem[]): boolean {
    const sameProblems = isDeepStrictEqual(problems, this.problems);
    const changed = resources !== this.resources || !sameProblems;
    this.resources = resources;
    if (!sameProblems) this.problems = problems;
    return changed;
  }
}

async function readContent({ target }: SeenFile): Promise<FileContent> {
  try {
    return readResourceFile(await readBounded(target, maxFileBytes));
  } catch (error) {
    return { ok: false, problems: [{ reason: readFailure(error) }] };
  }
}
