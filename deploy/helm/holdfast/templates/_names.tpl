{{- define "holdfast.name" -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "holdfast.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "holdfast.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- define "holdfast.configmap" -}}
{{ default (printf "%s-holdfast" (include "holdfast.name" .)) .Values.existingConfigMap }}
{{- end }}

{{- define "holdfast.config" -}}
{{- $file := dict "explicit" "sidecar" "drop" "sidecar" "redirect" "redirect" "gateway" "gateway" -}}
{{- default (.Files.Get (printf "files/config/%s.conf" (get $file .Values.mode))) .Values.config -}}
{{- end }}

{{- /* Whatever runs here but holdfast-steer. */}}
{{- define "holdfast.restricted" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "holdfast.probes" -}}
startupProbe:
  httpGet:
    path: /readyz
    port: holdfast-ops
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet:
    path: /readyz
    port: holdfast-ops
  periodSeconds: 5
livenessProbe:
  httpGet:
    path: /healthz
    port: holdfast-ops
  periodSeconds: 10
{{- end }}

{{- define "holdfast.annotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "15021"
prometheus.io/path: /metrics
{{- end }}
