{{/* What both containers of Sluice have. */}}
{{- define "sluice.container" -}}
image: {{ .Values.image }}
envFrom:
  - secretRef:
      name: {{ .Values.credentials | default (printf "%s-sluice-credentials" .Release.Name) }}
      optional: true
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: data, mountPath: {{ dir .Values.database | quote }} }
  {{- range $index, $folder := .Values.backups }}
  - { name: backup-{{ add1 $index }}, mountPath: {{ $folder | quote }} }
  {{- end }}
  - { name: sluice-config, mountPath: /etc/sluice, readOnly: true }
  - { name: sluice-tmp, mountPath: /tmp }
{{- with .Values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sluice.claim" -}}
accessModes: [ReadWriteOncePod]
{{- with .Values.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources: { requests: { storage: {{ .Values.storage }} } }
{{- end }}
