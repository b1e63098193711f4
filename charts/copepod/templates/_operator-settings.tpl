{{/* What the operator reads from COPEPOD_OPERATOR_CONFIG. */}}
{{- define "copepod.operatorSettings" -}}
{{- $root := . }}
{{- $agents := dict }}
{{- range $provider, $image := .Values.sessions.agent.images }}
{{- $_ := set $agents $provider (include "copepod.image" (dict "root" $root "image" $image)) }}
{{- end -}}
images:
  proxy: {{ include "copepod.image" (dict "root" . "image" .Values.sessions.proxy.image) }}
  agents:
    {{- toYaml $agents | nindent 4 }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
imagePullSecrets:
  {{- toYaml .Values.image.pullSecrets | nindent 2 }}
router:
  mailboxUrl: http://{{ include "copepod.routerName" . }}-mailbox.{{ .Release.Namespace }}:8081
  namespace: {{ .Release.Namespace }}
  podLabels:
    {{- include "copepod.selector" (dict "root" . "component" "router") | nindent 4 }}
session:
  proxyResources:
    {{- toYaml .Values.sessions.proxy.resources | nindent 4 }}
  agentResources:
    {{- toYaml .Values.sessions.agent.resources | nindent 4 }}
  allowedMetadata:
    {{- toYaml .Values.sessions.allowedMetadata | nindent 4 }}
  {{- with .Values.sessions.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
network:
  {{- toYaml .Values.sessions.network | nindent 2 }}
mountPolicy:
  allow:
    {{- toYaml .Values.sessions.mountPolicy | nindent 4 }}
wakesPerNode: {{ .Values.sessions.wakesPerNode }}
client:
  {{- toYaml .Values.operator.client | nindent 2 }}
{{- end }}
