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
{{- if .Values.config -}}
{{- .Values.config -}}
{{- else -}}
{{- .Files.Get (printf "files/config/%s.conf" (get $file .Values.mode)) | replace "uid = 1000;" (printf "uid = %d;" (int .Values.workload.uid)) -}}
{{- end -}}
{{- end }}

{{- /* What would render and then let nothing through. */}}
{{- define "holdfast.judge" -}}
{{- if eq (int .Values.workload.uid) 1337 -}}
{{- fail "workload.uid: 1337 is the sidecar's own, which no rule holds: write another" -}}
{{- end -}}
{{- if .Values.config -}}
{{- if not (contains "grants" .Values.config) -}}
{{- fail "config: this is no holdfast.conf with grants; `holdfast check -c FILE` tells what is wrong with one" -}}
{{- end -}}
{{- if and (eq .Values.mode "redirect") (not (contains "\"transparent\"" .Values.config)) -}}
{{- fail "mode: redirect turns connections to a transparent door, which the config lacks: write { kind = \"transparent\"; listen = \"127.0.0.1:15006\"; } among its doors, or mode=drop" -}}
{{- end -}}
{{- if and (ne .Values.mode "gateway") (not (regexMatch (printf "uid *= *%d *;" (int .Values.workload.uid)) .Values.config)) -}}
{{- fail (printf "workload.uid: the config names no uid = %d; so everything would be refused: write it there, in `workload` and in `caller`, or another uid here" (int .Values.workload.uid)) -}}
{{- end -}}
{{- end -}}
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
