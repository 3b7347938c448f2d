{{/* What a pod type is; called with the type's values as `type` and all others as `Values`. */}}
{{- define "ray.podType" -}}
{{- with .type.rayResources }}
resources:
  {{- range $name, $amount := . }}
  {{ $name }}: {{ $amount | int64 | quote }}
  {{- end }}
{{- end }}
template:
  spec:
    containers:
      - name: ray
        image: {{ .type.image | default .Values.image | quote }}
        resources:
          {{- range list "requests" "limits" }}
          {{ . }}:
            cpu: {{ $.type.CPU | int64 | quote }}
            memory: {{ $.type.memory | toString | quote }}
            {{- with $.type.GPU }}
            nvidia.com/gpu: {{ . | int64 | quote }}
            {{- end }}
          {{- end }}
    {{- with .type.nodeSelector }}
    nodeSelector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .type.tolerations }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}
