{{/* Every name begins with the release's. */}}
{{- define "copepod.routerName" -}}{{ .Release.Name }}-router{{- end }}
{{- define "copepod.operatorName" -}}{{ .Release.Name }}-operator{{- end }}

{{/* Names of cluster-scoped objects: releases of the same name in two namespaces don't meet. */}}
{{- define "copepod.clusterName" -}}
{{- if eq .Release.Name .Release.Namespace }}{{ .Release.Name }}{{ else }}{{ .Release.Namespace }}-{{ .Release.Name }}{{ end }}
{{- end }}

{{/* How the API server calls the ServiceAccounts. */}}
{{- define "copepod.routerUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ include "copepod.routerName" . }}{{- end }}
{{- define "copepod.operatorUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ include "copepod.operatorName" . }}{{- end }}

{{/* dict "root" $ "component" "router" */}}
{{- define "copepod.selector" -}}
app.kubernetes.io/name: copepod
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "copepod.labels" -}}
{{ include "copepod.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: copepod
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* dict "root" $ "image" (repository, tag, digest) */}}
{{- define "copepod.image" -}}
{{- $name := printf "%s/%s" .root.Values.image.registry .image.repository -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "copepod.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of every pod of the system, and of none of the sessions: those are the operator's. */}}
{{- define "copepod.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10000
runAsGroup: 10000
fsGroup: 10000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "copepod.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where the pods of a program run: its part of the values. */}}
{{- define "copepod.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Environment of router and operator alike. */}}
{{- define "copepod.commonEnv" -}}
- name: COPEPOD_NAMESPACES
  value: {{ join "," .Values.agents.namespaces | quote }}
- name: COPEPOD_METRICS_PORT
  value: "9090"
{{- end }}

{{/* A namespaceSelector's body: the agents' namespaces by the label that Kubernetes itself gives them. */}}
{{- define "copepod.agentsSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: In
    values:
      {{- range .Values.agents.namespaces }}
      - {{ . }}
      {{- end }}
{{- end }}

{{/* Most credentials of an agent group, as its kind says. */}}
{{- define "copepod.maxCredentials" -}}20{{- end }}

{{/* Of pods that do next to nothing. */}}
{{- define "copepod.smallResources" -}}
requests:
  cpu: 1m
  memory: 48Mi
limits:
  memory: 128Mi
{{- end }}
