{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "weir" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-weir" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.namespace" -}}
{{- if .Values.namespace.name -}}
{{- .Values.namespace.name -}}
{{- else if .Values.compatibility.enabled -}}
{{- .Values.compatibility.namespace -}}
{{- else -}}
{{- .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "weir.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "weir.agentSelector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "weir.serverSelector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "weir.tokenSecret" -}}
{{- .Values.token.existingSecret | default (printf "%s-token" (include "weir.fullname" .)) -}}
{{- end -}}

{{- /* The same text as long as the token is the same; a random one is not known here and stays as it is. */ -}}
{{- define "weir.tokenChecksum" -}}
{{- printf "%s/%s/%s" .Values.token.existingSecret .Values.token.key .Values.token.value | sha256sum -}}
{{- end -}}

{{- define "weir.serverUrl" -}}
{{- if .Values.agent.server -}}
{{- .Values.agent.server -}}
{{- else -}}
{{- $scheme := ternary "https" "http" (ne .Values.tls.existingSecret "") -}}
{{- printf "%s://%s-server.%s.svc:%d" $scheme (include "weir.fullname" .) (include "weir.namespace" .) (int .Values.server.port) -}}
{{- end -}}
{{- end -}}

{{- define "weir.flagArguments" -}}
{{- range $name, $value := . }}
- {{ printf "--%s=%v" $name $value | quote }}
{{- end }}
{{- end -}}

{{- /* What the schema cannot say: two values that only together make no sense. */ -}}
{{- define "weir.check" -}}
{{- if and (not .Values.server.enabled) .Values.agent.enabled (not .Values.agent.server) -}}
{{- fail "agent.server: agents need the URL of a server when server.enabled is false" -}}
{{- end -}}
{{- if and (not .Values.server.enabled) (not .Values.token.existingSecret) (not .Values.token.value) -}}
{{- fail "token: agents of a server elsewhere need its token, as token.existingSecret or token.value" -}}
{{- end -}}
{{- range $env := concat .Values.agent.extraEnv .Values.server.extraEnv -}}
{{- if hasPrefix "WEIR_" $env.name -}}
{{- fail (printf "extraEnv: %s is a flag; set it in agent.flags or server.flags, the token in token and the port in server.port" $env.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
