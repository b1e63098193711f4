import { apiVersionOf, type HasMetadata, keyOf, type OwnerReference, type Resource } from "../object.ts";

/** For the objects that a controller is there for. */
export const ownKey = ({ metadata: { namespace, name } }: HasMetadata): string[] =>
  name === undefined ? [] : [keyOf({ namespace, name })];

/** For children: the key of the controlling owner, when it is of this kind. Any version of the kind counts. */
export function ownerKey(owner: Resource): (object: HasMetadata) => string[] {
  const group = apiVersionOf({ group: owner.group, version: "" });
  return ({ metadata: { namespace, ownerReferences = [] } }) => {
    const found = ownerReferences.find(
      ({ controller, kind, apiVersion }) =>
        controller === true && kind === owner.kind && apiVersion.slice(0, apiVersion.lastIndexOf("/") + 1) === group,
    );
    return found ? [keyOf({ namespace: owner.namespaced ? namespace : undefined, name: found.name })] : [];
  };
}

/** Makes a child that of this owner, in whose namespace it must be: the garbage collector removes it after the owner. */
export const controllingOwner = (
  resource: Resource,
  { metadata: { name = "", uid = "" } }: HasMetadata,
): OwnerReference => ({
  ...{ apiVersion: apiVersionOf(resource), kind: resource.kind, name, uid },
  ...{ controller: true, blockOwnerDeletion: true },
});

/** Whether an object with a child's name is this owner's child. By UID: an owner that was made anew has none yet. */
export const isControlledBy = (child: HasMetadata, owner: HasMetadata): boolean =>
  (child.metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === owner.metadata.uid,
  );
