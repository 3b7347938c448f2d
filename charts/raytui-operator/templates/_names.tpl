{{/* Name of everything that this release makes. */}}
{{- define "raytui.name" -}}
{{- printf "%s" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "raytui.selector" -}}
app.kubernetes.io/name: raytui-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "raytui.labels" -}}
{{ include "raytui.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Where RayClusters are driven, as JSON; no namespaces are all of them. */}}
{{- define "raytui.namespaces" -}}
{{- if .Values.namespacedOperator -}}
{{- list .Release.Namespace | toJson -}}
{{- else -}}
{{- .Values.watchNamespaces | toJson -}}
{{- end -}}
{{- end -}}

{{/* What the operator does where it drives RayClusters; each verb is one that it calls. */}}
{{- define "raytui.rules" -}}
- apiGroups: [ray.io]
  resources: [rayclusters]
  verbs: [get, list, watch, patch]
- apiGroups: [ray.io]
  resources: [rayclusters/status]
  verbs: [patch]
# To own pods, where the API server asks for it (OwnerReferencesPermissionEnforcement).
- apiGroups: [ray.io]
  resources: [rayclusters/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.rights.secrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, delete]
{{- end }}
{{- if .Values.rights.volumeClaims }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create, delete]
{{- end }}
{{- end -}}

{{- define "raytui.subjects" -}}
- kind: ServiceAccount
  name: {{ include "raytui.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
