//! `certctl credential`: kubectl's credential plugin, client.authentication.k8s.io/v1.
//!
//! It runs at each call of kubectl: no runtime, no network, no one else's records. What cannot work
//! any more is told in one sentence, because kubectl would only say `Unauthorized` or `Forbidden`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::{CredentialArgs, Global};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::{ClusterName, UserName};
use crate::person::identities;
use crate::person::own_kubeconfigs::{self, Own};
use crate::planning::source::{self, Source};
use crate::record::CredentialState;

pub fn run(global: &Global, args: &CredentialArgs, terminal: &Terminal) -> Result<u8> {
    let [cluster] = global.clusters.as_slice() else {
        return Err(Error::usage("credential is about one cluster; nothing was printed")
            .hint("name it: `certctl credential --cluster NAME`"));
    };
    let source = match &args.user {
        Some(user) => source::roster_about(global, user),
        None => source::roster(global),
    };
    let source = source.map_err(|error| {
        error.hint("if the repository has moved, run `certctl login` again in its new folder")
    })?;
    let now = clock::now();
    if let Some(user) = &args.user {
        still(&source, cluster, user, now)?;
    }
    let identities = identities::load(&args.identity, terminal)?;
    let own = own_kubeconfigs::open_one(&source, global, args.user.as_ref(), &identities)?;
    if args.user.is_none() {
        still(&source, cluster, &own.user, now)?;
    }
    if let Some(info) = std::env::var_os("KUBERNETES_EXEC_INFO") {
        same_cluster(&own, info.as_encoded_bytes())?;
    }
    let key = own.kubeconfig.private_key.as_ref().ok_or_else(|| {
        Error::new(format!(
            "{cluster}: the repository holds no private key of `{}`, who keeps it; nothing was printed",
            own.user
        ))
    })?;
    let key = key.to_pem();
    let certificate = own.kubeconfig.certificate.pem().as_bytes();
    terminal.print(&exec_credential(certificate, &key, own.credential.not_after))?;
    Ok(DONE)
}

/// Refuses where kubectl is about to connect to another cluster than the repository says. kubectl
/// tells it where the entry says `provideClusterInfo`, as those of `login` do.
fn same_cluster(own: &Own, info: &[u8]) -> Result<()> {
    let cluster = &own.cluster;
    let refused = |what: String| {
        Err(Error::new(format!(
            "{cluster}: {what}, so kubectl gets no credential; go back to the branch that you logged in from, or run `certctl login`, which shows what has changed"
        )))
    };
    let Ok(info) = serde_json::from_slice::<Value>(info) else {
        return refused("what kubectl says of the cluster is no JSON".into());
    };
    let told = &info["spec"]["cluster"];
    if told.is_null() {
        return Ok(());
    }
    let server = told["server"].as_str().unwrap_or_default();
    if server.trim_end_matches('/') != own.kubeconfig.server.trim_end_matches('/') {
        return refused(format!(
            "the kubeconfig leads to `{server}`, the repository to `{}`",
            own.kubeconfig.server
        ));
    }
    if told["insecure-skip-tls-verify"] == true {
        return refused("the kubeconfig skips the verification of the server".into());
    }
    let authority = STANDARD.decode(told["certificate-authority-data"].as_str().unwrap_or_default());
    if authority.ok().as_deref() != Some(own.kubeconfig.certificate_authority.as_deref().unwrap_or_default())
    {
        return refused(
            "the kubeconfig trusts another certificate authority than the repository says".into(),
        );
    }
    Ok(())
}

/// Why the person has no access any more, as far as the repository knows.
fn still(source: &Source, cluster: &ClusterName, user: &UserName, now: Timestamp) -> Result<()> {
    let ended = |what: String| Err(Error::new(what));
    let Some(entry) = source.roster.users.get(user) else {
        return ended(format!(
            "{cluster}: `{user}` is not on the roster any more, so access has ended; ask an admin if that is a mistake, or run `git pull` if you were added again"
        ));
    };
    if !entry.clusters.contains(cluster) {
        return ended(format!(
            "{cluster}: the roster gives `{user}` no access to this cluster any more; ask an admin if that is a mistake"
        ));
    }
    if entry.suspended {
        return ended(format!(
            "{cluster}: `{user}` is suspended; ask an admin, or run `git pull` if you were let in again"
        ));
    }
    if let Some(until) = entry.until.filter(|until| *until <= now) {
        return ended(format!(
            "{cluster}: the access of `{user}` ended at {until}; run `git pull`, and ask an admin to move `until` if it should go on"
        ));
    }
    let record = source.record(cluster, user)?;
    let Some(last) = record.and_then(|record| record.credentials.into_iter().next_back()) else {
        return ended(format!(
            "{cluster}: there is no credential for `{user}` yet; run `git pull`, and ask an admin to run `certctl apply` if there still is none"
        ));
    };
    if last.state == CredentialState::Revoked {
        return ended(format!(
            "{cluster}: credential {} of `{user}` was revoked; run `git pull` for a new one, and ask an admin if there is none",
            last.id
        ));
    }
    if last.not_after <= now {
        return ended(format!(
            "{cluster}: the certificate of `{user}` expired at {}; run `git pull` for the renewed one, and ask an admin to run `certctl apply` if there is none",
            last.not_after
        ));
    }
    Ok(())
}

/// What kubectl reads, in a buffer that never moves and is wiped.
fn exec_credential(certificate: &[u8], key: &[u8], not_after: Timestamp) -> Zeroizing<Vec<u8>> {
    // PEM is plain text; a line feed is its only character that JSON escapes.
    let mut out = Zeroizing::new(Vec::with_capacity(2 * (certificate.len() + key.len()) + 512));
    let pem = |out: &mut Vec<u8>, pem: &[u8]| {
        for byte in pem.iter().filter(|byte| **byte != b'\r') {
            match byte {
                b'\n' => out.extend_from_slice(b"\\n"),
                byte => out.push(*byte),
            }
        }
    };
    out.extend_from_slice(
        br#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":""#,
    );
    pem(&mut out, certificate);
    out.extend_from_slice(br#"","clientKeyData":""#);
    pem(&mut out, key);
    out.extend_from_slice(format!("\",\"expirationTimestamp\":\"{not_after}\"}}}}\n").as_bytes());
    out
}
