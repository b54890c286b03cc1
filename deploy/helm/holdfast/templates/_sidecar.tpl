{{- define "holdfast.sidecar" -}}
name: holdfast
image: {{ include "holdfast.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
restartPolicy: Always
args: [run, -c, /etc/holdfast/holdfast.conf]
ports:
  - name: holdfast-ops
    containerPort: 15021
{{ include "holdfast.probes" . }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "holdfast.restricted" (dict "uid" 1337) | nindent 2 }}
volumeMounts:
  - name: holdfast-config # whole, never by subPath: such a mount is not updated
    mountPath: /etc/holdfast
    readOnly: true
  - name: holdfast-keys
    mountPath: /run/holdfast/keys
  - name: holdfast-public
    mountPath: /run/holdfast/public
  - name: holdfast-ledger
    mountPath: /var/lib/holdfast
  - name: holdfast-token
    mountPath: /var/run/secrets/holdfast
    readOnly: true
  - name: holdfast-podinfo
    mountPath: /etc/podinfo
    readOnly: true
{{- end }}

{{- define "holdfast.steer" -}}
name: holdfast-steer
image: {{ include "holdfast.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [steer, --mode, {{ .Values.mode }}, --load, -c, /etc/holdfast/holdfast.conf]
resources:
  requests:
    cpu: 10m
    memory: 16Mi
  limits:
    memory: 64Mi
securityContext: # root and NET_ADMIN, in this container and in no other
  runAsNonRoot: false
  runAsUser: 0
  runAsGroup: 0
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
    add: [NET_ADMIN]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: holdfast-config
    mountPath: /etc/holdfast
    readOnly: true
{{- end }}

{{- define "holdfast.env" -}}
- name: HTTPS_PROXY
  value: "http://127.0.0.1:15001"
- name: https_proxy
  value: "http://127.0.0.1:15001"
- name: HTTP_PROXY
  value: "http://127.0.0.1:15001"
- name: http_proxy
  value: "http://127.0.0.1:15001"
- name: NO_PROXY
  value: "127.0.0.1,localhost,::1"
- name: no_proxy
  value: "127.0.0.1,localhost,::1"
- name: NODE_USE_ENV_PROXY
  value: "1"
- name: SSL_CERT_FILE
  value: "/run/holdfast/public/ca/bundle.pem"
- name: SSL_CERT_DIR
  value: "/run/holdfast/public/ca/certs"
- name: CURL_CA_BUNDLE
  value: "/run/holdfast/public/ca/bundle.pem"
- name: REQUESTS_CA_BUNDLE
  value: "/run/holdfast/public/ca/bundle.pem"
- name: GIT_SSL_CAINFO
  value: "/run/holdfast/public/ca/bundle.pem"
- name: AWS_CA_BUNDLE
  value: "/run/holdfast/public/ca/bundle.pem"
- name: PIP_CERT
  value: "/run/holdfast/public/ca/bundle.pem"
- name: CARGO_HTTP_CAINFO
  value: "/run/holdfast/public/ca/bundle.pem"
- name: NIX_SSL_CERT_FILE
  value: "/run/holdfast/public/ca/bundle.pem"
- name: GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
  value: "/run/holdfast/public/ca/bundle.pem"
- name: npm_config_cafile
  value: "/run/holdfast/public/ca/bundle.pem"
- name: NODE_EXTRA_CA_CERTS
  value: "/run/holdfast/public/ca/ca.pem"
- name: DENO_CERT
  value: "/run/holdfast/public/ca/ca.pem"
- name: JAVA_TOOL_OPTIONS
  value: "-Djavax.net.ssl.trustStore=/run/holdfast/public/ca/truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=15001 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=15001"
{{- end }}

{{- define "holdfast.volumes" -}}
- name: holdfast-config
  configMap:
    name: {{ include "holdfast.configmap" . }}
- name: holdfast-keys # the CA's key and the authority's: in memory, and the sidecar's alone
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: holdfast-public
  emptyDir:
    medium: Memory
    sizeLimit: 8Mi
- name: holdfast-ledger # goes with the pod: ship the log, or name a witness
  emptyDir:
    sizeLimit: 1Gi
- name: holdfast-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ .Values.token.audience | quote }}
          expirationSeconds: {{ .Values.token.expirationSeconds }}
- name: holdfast-podinfo
  downwardAPI:
    items:
      - path: uid
        fieldRef:
          fieldPath: metadata.uid
      - path: labels
        fieldRef:
          fieldPath: metadata.labels
{{- end }}
