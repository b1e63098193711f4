/** Why a provider's cluster can't show something. */
export interface Cannot {
  readonly enforcePolicies?: string;
  /** A node's own programs are not all to be found, or what is killed takes the cluster with it. */
  readonly killNode?: string;
  readonly shareVolumes?: string;
}
