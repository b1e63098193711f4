/** Part of a JSON schema, as values.schema.json has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const text: JsonSchema = { type: "string" };
const labelName: JsonSchema = { type: "string", pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" };
const objectName: JsonSchema = { type: "string", pattern: "^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$" };
const quantity: JsonSchema = { type: ["string", "integer"], pattern: "^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$" };
const listOf = (items: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: "array", items, ...more });
const oneOf = (...words: readonly string[]): JsonSchema => ({ type: "string", enum: words });
const whole = (minimum: number, maximum: number): JsonSchema => ({ type: "integer", minimum, maximum });
const mapOf = (values: JsonSchema): JsonSchema => ({ type: "object", additionalProperties: values });
const shape = (properties: Readonly<Record<string, JsonSchema>>, ...required: readonly string[]): JsonSchema => ({
  ...{ type: "object", additionalProperties: false, properties },
  ...(required.length > 0 && { required }),
});

const stringMap = mapOf(text);
const amounts = shape({ cpu: quantity, memory: quantity });
const labelSelector = shape({
  matchLabels: stringMap,
  matchExpressions: listOf(
    shape(
      { key: text, operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"), values: listOf(text) },
      "key",
      "operator",
    ),
  ),
});
/** What is Kubernetes' own and large: the API server looks at the rest. */
const asDocumented: JsonSchema = { type: "object" };

/** What a value may be, by the names that `@type` in a chart's values.yaml knows. */
export const typeSchemas: Readonly<Record<string, JsonSchema | undefined>> = {
  names: listOf(objectName, { uniqueItems: true }),
  namespaces: listOf(labelName, { uniqueItems: true, minItems: 1 }),
  userNames: listOf({ type: "string", pattern: "^[^,]+$" }, { uniqueItems: true }),
  word: { type: "string", pattern: "^\\S+$" },
  stringMap,
  pullPolicy: oneOf("Always", "IfNotPresent", "Never"),
  logLevel: oneOf("trace", "debug", "info", "warn", "error"),
  rbacScope: oneOf("Role", "ClusterRole"),
  days: whole(1, 3_650),
  replicas: whole(0, 10),
  rate: whole(1, 10_000),
  wakesPerNode: whole(1, 100),
  quantity,
  duration: { type: "string", pattern: "^([0-9]+(ms|s|m|h))+$" },
  resources: shape({ requests: amounts, limits: amounts }),
  tolerations: listOf(
    shape({
      key: text,
      operator: oneOf("Exists", "Equal"),
      value: text,
      effect: oneOf("NoSchedule", "PreferNoSchedule", "NoExecute"),
      tolerationSeconds: { type: "integer" },
    }),
  ),
  affinity: shape({ nodeAffinity: asDocumented, podAffinity: asDocumented, podAntiAffinity: asDocumented }),
  topologySpreadConstraints: listOf(
    shape(
      {
        maxSkew: { type: "integer", minimum: 1 },
        topologyKey: text,
        whenUnsatisfiable: oneOf("DoNotSchedule", "ScheduleAnyway"),
        labelSelector,
        minDomains: { type: "integer", minimum: 1 },
        nodeAffinityPolicy: oneOf("Honor", "Ignore"),
        nodeTaintsPolicy: oneOf("Honor", "Ignore"),
        matchLabelKeys: listOf(text),
      },
      ...["maxSkew", "topologyKey", "whenUnsatisfiable"],
    ),
  ),
  env: listOf(
    shape(
      {
        name: { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_]*$" },
        value: text,
        valueFrom: shape({ secretKeyRef: asDocumented, configMapKeyRef: asDocumented, fieldRef: asDocumented }),
      },
      "name",
    ),
  ),
  imagesByName: {
    type: "object",
    minProperties: 1,
    additionalProperties: shape({ repository: text, tag: text, digest: text }, "repository"),
  },
  cidrs: listOf({ type: "string", pattern: "^[0-9a-f.:]+/[0-9]{1,3}$" }, { uniqueItems: true }),
  addresses: listOf({ type: "string", pattern: "^[0-9a-f.:]+$" }, { uniqueItems: true }),
  mountPolicy: listOf(
    shape(
      {
        namespaces: listOf(labelName),
        claimNames: listOf({ type: "string", pattern: "^[-.a-z0-9]*\\*?$", minLength: 1 }, { minItems: 1 }),
        readOnly: { type: "boolean" },
      },
      "claimNames",
    ),
  ),
  networkPeers: listOf(
    shape({
      namespaceSelector: labelSelector,
      podSelector: labelSelector,
      ipBlock: shape({ cidr: text, except: listOf(text) }, "cidr"),
    }),
  ),
};
