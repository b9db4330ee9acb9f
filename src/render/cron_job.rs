//! An apply that runs in the cluster itself, on a schedule: then CI needs no right there.
//!
//! It pulls the repository with a deploy key, as nobody in particular, and can write only where that is kept in memory.
//! It needs git, ssh and certctl, and no shell.

use serde_json::{Value, json};

/// Where the deploy key and the host keys of the git host are mounted.
const KEYS: &str = "/keys";
/// Where it works: gone with the pod.
const WORK: &str = "/work";
/// The clone in there.
const CLONE: &str = "/work/repository";
/// What ssh reads whoever runs it: git would need a shell for an ssh command with arguments.
const SSH_CONFIG: &str = "/etc/ssh/ssh_config";
/// Nobody's user and group.
const NOBODY: u32 = 65532;
/// How long one apply may take, in seconds.
const DEADLINE: u32 = 3600;

/// What it is made of.
#[derive(Debug, Clone)]
pub struct CronJob<'a> {
    pub namespace: &'a str,
    /// The context that the roster names for the cluster.
    pub context: &'a str,
    /// With certctl, git and ssh.
    pub image: &'a str,
    pub repository: &'a str,
    /// `NAME <EMAIL>` of its commits.
    pub author: String,
    pub schedule: &'a str,
    /// The Secret with `ssh-privatekey` and `known_hosts`.
    pub secret: &'a str,
}

/// A ConfigMap with its kubeconfig, and the CronJob. The Secret is for the administrator to make.
pub fn manifests(job: &CronJob<'_>) -> [Value; 2] {
    let metadata = json!({
        "name": "certctl-apply",
        "namespace": job.namespace,
        "labels": {"app.kubernetes.io/name": "certctl"},
    });
    let token = "/var/run/secrets/kubernetes.io/serviceaccount";
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {
            "server": "https://kubernetes.default.svc",
            "certificate-authority": format!("{token}/ca.crt"),
        }}],
        "users": [{"name": "certctl", "user": {"tokenFile": format!("{token}/token")}}],
        "contexts": [{"name": job.context, "context": {"cluster": "here", "user": "certctl"}}],
    });
    let ssh = format!(
        "Host *\n  IdentityFile {KEYS}/ssh-privatekey\n  IdentitiesOnly yes\n  UserKnownHostsFile {KEYS}/known_hosts\n  StrictHostKeyChecking yes\n"
    );
    let clone = ["git", "clone", "--quiet", "--depth", "1", "--", job.repository, CLONE];
    let apply = ["certctl", "apply", "--auto-approve", "--author", &job.author];
    let first = container(job.image, "clone", &clone, WORK);
    let then = container(job.image, "certctl", &apply, CLONE);
    let pod = json!({
        "serviceAccountName": "certctl-apply",
        "restartPolicy": "Never",
        "securityContext": {
            "fsGroup": NOBODY,
            "runAsGroup": NOBODY,
            "runAsNonRoot": true,
            "runAsUser": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [first],
        "containers": [then],
        "volumes": [
            {"name": "work", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
            {"name": "config", "configMap": {"name": "certctl-apply"}},
            // Owned by root, and readable to the group of this pod alone.
            {"name": "keys", "secret": {"secretName": job.secret, "defaultMode": 0o400}},
        ],
    });
    [
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"kubeconfig": kubeconfig.to_string(), "ssh_config": ssh},
        }),
        json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": metadata,
            "spec": {
                "schedule": job.schedule,
                "concurrencyPolicy": "Forbid",
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {"spec": {
                    "activeDeadlineSeconds": DEADLINE,
                    "backoffLimit": 0,
                    "template": {"spec": pod},
                }},
            },
        }),
    ]
}

fn container(image: &str, name: &str, command: &[&str], folder: &str) -> Value {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    // The kubelet expands `$(NAME)`, and takes `$$` for a `$`.
    let command: Vec<String> = command.iter().map(|word| word.replace('$', "$$")).collect();
    json!({
        "name": name,
        "image": image,
        "command": command,
        "workingDir": folder,
        "env": [
            variable("HOME", WORK),
            variable("KUBECONFIG", "/config/kubeconfig"),
            variable("TMPDIR", WORK),
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [
            {"name": "work", "mountPath": WORK},
            {"name": "config", "mountPath": "/config", "readOnly": true},
            {"name": "config", "mountPath": SSH_CONFIG, "subPath": "ssh_config", "readOnly": true},
            {"name": "keys", "mountPath": KEYS, "readOnly": true},
        ],
    })
}
