/**
 * Ids of requests that bring none of their own: the start of the process, then a counter.
 * Drawing randomness for each request cost a sixth of the router's time at full load.
 */
export function createRequestIds(start: string): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${count.toString(36)}`;
  };
}
