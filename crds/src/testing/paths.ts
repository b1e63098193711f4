/** A path of ours as the API server says it: of labels and annotations it names only the map. */
export const serverPath = (path: string): string => path.replace(/^(metadata\.(labels|annotations))\..*$/s, "$1");
