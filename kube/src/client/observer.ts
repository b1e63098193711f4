/**
 * What the client tells about its traffic. The shapes follow client-go's metrics, so that public dashboards work:
 * `rest_client_requests_total{code,method,host}`, `rest_client_request_duration_seconds{verb,host}` and
 * `rest_client_rate_limiter_duration_seconds{verb,host}`. Its methods must not throw.
 */
export interface ClientObserver {
  /** One HTTP exchange came to its status line, or failed. Each try of a call counts, and each start of a watch. */
  exchanged(exchange: ExchangeReport): void;
  /** A try has waited for the client's own rate limit. */
  waited(wait: { readonly verb: string; readonly host: string; readonly seconds: number }): void;
}

export interface ExchangeReport {
  /** HTTP method; client-go names it `method` in one metric and `verb` in another. */
  readonly method: string;
  /** Host and port of the API server. */
  readonly host: string;
  /** HTTP status, or `<error>` when there was none. */
  readonly code: string;
  /** From the start of the exchange until the status line. */
  readonly seconds: number;
}
