import { podGraceMs } from "@copepod/core/cluster";

/** Every bound and time of sessions' pods, in one place. Times in ms. */

/** Of a pod, by when all its containers are ready. Longer than a cluster needs for a new node. */
export const startDeadlineMs = 10 * 60_000;
/** An image that can't be pulled for this long is missing. */
export const imageDeadlineMs = 2 * 60_000;
/** A pod that starts for longer leaves its place to others: something else holds it up. */
export const startSlotMs = 30_000;
/** A session in line for a place is called; this is for places that only time frees. */
export const slotWaitMs = 5_000;
/** Between two looks whether what a pod needs is there. */
export const waitMs = 1_000;
/** The same, for what comes in a moment. */
export const soonMs = 100;
/** What a cache has not shown after this time may be gone already: then the API server is asked. */
export const expectMs = 5_000;
/** The objects of a new agent group are on their way for this long; nobody is told before. */
export const newGroupMs = 10_000;
/** A cache is not behind for longer. */
export const behindMs = 60_000;
/** A node that was not heard of for this long, beyond what Kubernetes itself waits, is lost. */
export const nodeLostMs = 30_000;
/** An end that takes longer is worth a write. */
export const slowEndMs = 5_000;
/** A container that was restarted this often, and waits for the next time, is not tried further. */
export const maxRestarts = 5;
/** What a container gets from SIGTERM to SIGKILL, in seconds. */
export const graceSeconds = podGraceMs / 1_000;
/** Life of the token by which the proxy proves the session, in seconds; the kubelet renews it in time. */
export const tokenSeconds = 3_600;
/** Between two looks of the kubelet whether the proxy serves, in seconds. */
export const readinessPeriodSeconds = 1;
/** Of the volume that proxy and agent share: sockets and instructions. */
export const runVolumeSize = "64Mi";
/** Of the agent's /tmp. A pod that takes more is evicted. */
export const temporaryVolumeSize = "2Gi";
