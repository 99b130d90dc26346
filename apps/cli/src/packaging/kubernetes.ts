/**
 * Manifests of Kubernetes: a StatefulSet whose pod restores the database, then runs the application with Sluice beside
 * it. packaging/helm/sluice is the same as a chart; a test compares both.
 */

import path from 'node:path';
import { nameOf, quote, type Deployment } from './deployment.ts';

/** For the application and then the last sync: docs/operations.md. */
const GRACE_SECONDS = 120;
const CONFIG = '/etc/sluice/sluice.yml';

export function renderKubernetes(deployment: Deployment): string {
  const { database, configText, folders, credentials, account, image } = deployment;
  const name = nameOf(database);
  const volumes = folders.map((folder, index) => ({
    folder,
    name: index === 0 ? 'data' : `backup-${index}`,
  }));
  const mounts = volumes
    .map((each) => `            - { name: ${each.name}, mountPath: ${quote(each.folder)} }\n`)
    .join('');
  const claims = volumes
    .map(
      (each) => `    - metadata: { name: ${each.name} }
      spec:
        accessModes: [ReadWriteOncePod]
        resources: { requests: { storage: 10Gi } }
`,
    )
    .join('');
  const literals = credentials.map((each) => ` --from-literal=${each}=…`).join('');
  return `# Sluice for ${database} in Kubernetes 1.29 or later.
# 1. Put your application into the container "app" below.
# 2. Create the credentials: kubectl create secret generic ${name}-sluice-credentials${literals}
# 3. kubectl apply -f sluice.k8s.yaml
apiVersion: v1
kind: Secret # not a ConfigMap, because a configuration may contain secrets
metadata:
  name: ${name}-sluice-config
stringData:
  sluice.yml: |
${indent(configText, 4)}\
---
apiVersion: v1
kind: Service
metadata:
  name: ${name}
spec:
  clusterIP: None
  selector: { app: ${name} }
---
apiVersion: apps/v1
kind: StatefulSet # it ends the old pod before it starts a new one: a database has one writer
metadata:
  name: ${name}
spec:
  replicas: 1 # never more: each pod would have a database of its own, at the same destination
  serviceName: ${name}
  selector:
    matchLabels: { app: ${name} }
  template:
    metadata:
      labels: { app: ${name} }
    spec:
      # First the application ends, then Sluice gets SIGTERM and sends the last commits. Both share this time.
      terminationGracePeriodSeconds: ${GRACE_SECONDS}
      securityContext:
        runAsUser: ${account.uid} # of the application too: both write the -wal and -shm files
        runAsGroup: ${account.gid}
        fsGroup: ${account.gid}
        runAsNonRoot: ${account.uid !== 0}
        seccompProfile: { type: RuntimeDefault }
      initContainers:
        # On a new volume the newest state is restored. With a database there, or without any backup, it does nothing.
        - name: restore
          image: ${quote(image)}
          args: [restore, -config, ${CONFIG}, -if-db-not-exists, -if-replica-exists, ${quote(database)}]
${envFrom(name)}${security()}\
          volumeMounts:
${mounts}${common()}\
        # restartPolicy makes it a sidecar: it runs beside the application, and ends after it.
        - name: sluice
          image: ${quote(image)}
          restartPolicy: Always
          args: [replicate, -config, ${CONFIG}]
${envFrom(name)}${security()}\
          volumeMounts:
${mounts}${common()}\
      containers:
        - name: app
          image: my-application # replace it
          volumeMounts:
            - { name: data, mountPath: ${quote(path.dirname(database))} }
      volumes:
        - name: sluice-config
          secret: { secretName: ${name}-sluice-config, defaultMode: 288 } # 0440
        - name: sluice-tmp
          emptyDir: {}
  volumeClaimTemplates:
${claims}`;
}

function envFrom(name: string): string {
  return `          envFrom:
            - secretRef: { name: ${name}-sluice-credentials, optional: true }
`;
}

function security(): string {
  return `          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
`;
}

function common(): string {
  return `            - { name: sluice-config, mountPath: ${path.posix.dirname(CONFIG)}, readOnly: true }
            - { name: sluice-tmp, mountPath: /tmp }
`;
}

function indent(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by));
}
