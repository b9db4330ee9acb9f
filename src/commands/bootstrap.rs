//! `certctl bootstrap`: prints the RBAC of certctl's own identities on a cluster, or compares it with what is there.

use serde_json::{Value, json};

use crate::checks::{Checks, rbac};
use crate::cli::{BootstrapArgs, Format, Global};
use crate::cluster::Connection;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::model::ClusterName;
use crate::planning::source::{self, Source};
use crate::render::cron_job::{self, CronJob};
use crate::render::{json, yaml};
use crate::rights::manifest::{Duty, RbacSubject, manifests, service_accounts};
use crate::rights::needed::{NeededRight, to_apply, to_plan};
use crate::roster::Cluster;

pub async fn run(global: &Global, args: &BootstrapArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    if args.check {
        return check(global, args, &source, terminal).await;
    }
    let mut clusters = source.clusters(global);
    let (Some((name, cluster)), None) = (clusters.next(), clusters.next()) else {
        return Err(Error::usage(
            "the roster has several clusters, and each gets its own RBAC; nothing was printed",
        )
        .hint("name one with `--cluster NAME`, and apply what is printed there"));
    };
    let mut objects = objects(&source, name, args);
    if args.in_cluster {
        objects.extend(cron_job::manifests(&cron_job(&source, cluster, args)?));
    }
    terminal.print(
        match args.format {
            Format::Text => yaml::documents(&objects)?,
            Format::Json => json::text(&json!({"apiVersion": "v1", "kind": "List", "items": objects})),
        }
        .as_bytes(),
    )?;
    Ok(DONE)
}

async fn check(global: &Global, args: &BootstrapArgs, source: &Source, terminal: &Terminal) -> Result<u8> {
    let mut checks = Checks::default();
    for (name, cluster) in source.clusters(global) {
        let connection =
            Connection::open(global.kubeconfig.as_deref(), &cluster.context, global.request_timeout).await?;
        rbac::compare(name, &connection, &objects(source, name, args), &mut checks).await;
    }
    checks.finish(args.format, terminal)
}

/// What plan and apply are granted on a cluster.
fn objects(source: &Source, cluster: &ClusterName, args: &BootstrapArgs) -> Vec<Value> {
    let roster = &source.roster;
    let plan: Vec<NeededRight> = to_plan(&roster.name);
    let apply: Vec<NeededRight> = plan.iter().cloned().chain(to_apply(roster, cluster)).collect();
    let mut accounts = Vec::new();
    let mut subjects = |duty: Duty, user: &Option<String>, group: &Option<String>| {
        let named = user.iter().cloned().map(RbacSubject::User);
        let named: Vec<_> = named.chain(group.iter().cloned().map(RbacSubject::Group)).collect();
        if !named.is_empty() {
            return named;
        }
        let name = format!("certctl-{}", duty.word());
        accounts.push(name.clone());
        vec![RbacSubject::ServiceAccount { namespace: args.namespace.to_string(), name }]
    };
    let plans = subjects(Duty::Plan, &args.plan_user, &args.plan_group);
    let applies = subjects(Duty::Apply, &args.apply_user, &args.apply_group);
    let mut objects = match accounts.is_empty() {
        true => Vec::new(),
        false => {
            let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
            service_accounts(args.namespace.as_str(), &names)
        }
    };
    objects.extend(manifests(&roster.name, Duty::Plan, &plan, &plans));
    objects.extend(manifests(&roster.name, Duty::Apply, &apply, &applies));
    objects
}

/// # Errors
/// The kubeconfigs of people would lead to an address inside the cluster.
fn cron_job<'a>(source: &'a Source, cluster: &'a Cluster, args: &'a BootstrapArgs) -> Result<CronJob<'a>> {
    let (Some(image), Some(repository), Some(author)) = (&args.image, &args.repository, &args.author) else {
        return Err(Error::usage("`--in-cluster` needs `--image`, `--repository` and `--author`"));
    };
    if cluster.server.is_none() {
        return Err(Error::new(format!(
            "cluster `{}` names no `server:`, and inside the cluster its own context is no address for people; nothing was printed",
            cluster.context
        ))
        .hint("write `server:` and, where it has a CA of its own, `certificateAuthority:` into the roster")
        .placed(&source.file, cluster.position));
    }
    Ok(CronJob {
        namespace: args.namespace.as_str(),
        context: &cluster.context,
        image,
        repository,
        author: author.to_string(),
        schedule: &args.schedule,
        secret: &args.deploy_key_secret,
    })
}
