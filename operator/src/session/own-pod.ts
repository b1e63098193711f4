import { groupObjectName, labels, operatorName } from "@copepod/core/cluster";
import type { Session } from "@copepod/crds/session";
import { isControlledBy } from "@copepod/kube/controller/owners";
import type { HasMetadata, KubeObject } from "@copepod/kube/object";

type Owner = HasMetadata & { readonly resource: Session };

/** Whether a pod with a name of this session's is the operator's work: nobody else makes pods with this account. */
export const isMade = ({ spec }: KubeObject, { resource }: Owner): boolean =>
  Object(spec).serviceAccountName === groupObjectName(resource.spec.group);

/** Whether a pod is this Session's, and has all that caches and network policies know it by: people can take labels away. */
export function isOwn(pod: HasMetadata, session: Owner): boolean {
  const { labels: has = {} } = pod.metadata;
  const wanted = {
    ...{ [labels.managedBy]: operatorName, [labels.component]: "session" },
    ...{ [labels.group]: session.resource.spec.group, [labels.session]: session.metadata.name },
  };
  return isControlledBy(pod, session) && Object.entries(wanted).every(([label, value]) => has[label] === value);
}
