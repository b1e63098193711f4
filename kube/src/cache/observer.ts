/**
 * What the reflectors tell. The shapes follow client-go's metrics, each with the label `name`: `reflector_lists_total`,
 * `reflector_list_duration_seconds`, `reflector_items_per_list`, `reflector_watches_total`, `reflector_short_watches_total`,
 * `reflector_watch_duration_seconds` and `reflector_items_per_watch`. `name` is that of the reflector. The methods must not
 * throw.
 */
export interface ReflectorObserver {
  /** A list is complete. */
  listed(list: { readonly name: string; readonly seconds: number; readonly items: number }): void;
  /** A watch has ended, in whatever way. `short`: at once, and without an event. */
  watched(watch: {
    readonly name: string;
    readonly seconds: number;
    readonly items: number;
    readonly short: boolean;
  }): void;
  /** A list or a watch has failed and will be tried again. `code`: see the error catalogue; `fault` for what has none. */
  failed(failure: { readonly name: string; readonly code: string }): void;
  /** An object could not be taken over, or a listener has thrown. */
  threw(fault: { readonly name: string; readonly by: "transform" | "listener" }): void;
}
