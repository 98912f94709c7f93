//! Several landfalls at one API server: each receives, and none undoes what another has written.

use std::collections::BTreeSet;

use landfall_harness::{ImageSpec, Landfall, Postgres, Registry, Uploader, wait};

use super::cluster::{Cluster, hub, secret, shared, warehouse};
use crate::world::{BINARY, PATIENCE, quiet_registry};

#[test]
fn two_replicas_publish_once_and_both_receive() {
    let server = shared();
    let project = server.namespace().unwrap();
    let start = || Cluster::of(server, &project, &server.kubeconfig(), |landfall| landfall);
    let (one, other) = (start(), start());
    one.warehouses(&["api"], "shop/api");
    one.apply(&(secret(&project, "s3cret") + &hub(&project)));
    let path = one.path();
    for replica in [&one, &other] {
        replica.open(&path);
        let delivery = replica.matched(&path, "shop/api", 1);
        replica.done(&delivery);
    }
    let events = ["events.events.k8s.io", "--namespace", &project];
    let events = server.get(&events).unwrap();
    let published = events["items"].as_array().unwrap().iter();
    assert_eq!(
        published.filter(|event| event["reason"] == "ReceiverPublished").count(),
        1
    );
}

/// Two that do not know of each other, and disagree: each says so, and neither writes as fast as it can.
#[test]
fn two_who_disagree_about_a_status_say_so_and_leave_each_other_time() {
    let server = shared();
    let (project, elsewhere) = (server.namespace().unwrap(), server.namespace().unwrap());
    let kubeconfig = server.kubeconfig();
    let one = Cluster::of(server, &project, &kubeconfig, |landfall| landfall);
    let folder = tempfile::tempdir().unwrap();
    let other = Landfall::builder(BINARY)
        .data_dir(folder.path().join("data"))
        .arg("--kubernetes")
        .arg("--kubeconfig")
        .arg(&kubeconfig.to_string_lossy())
        .arg("--watch-namespaces")
        .arg(&project)
        // Another Lease.
        .env("POD_NAMESPACE", &elsewhere)
        .arg("--base-url=https://elsewhere.example.com")
        .start()
        .unwrap();
    one.apply(&(secret(&project, "s3cret") + &hub(&project)));
    let words = "another process keeps writing another status here";
    wait::until(PATIENCE, "both to say so", || {
        let both = one.log().contains(words) && std::fs::read_to_string(other.log()).unwrap().contains(words);
        both.then_some(())
    })
    .unwrap();
    // Each is at its second pause by then. Without any, there would be hundreds.
    let read = || server.get(&["projectconfigs.kargo.akuity.io", &project, "--namespace", &project]);
    let mut versions = BTreeSet::new();
    for _ in 0..40 {
        versions.insert(
            read().unwrap()["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert!(versions.len() < 12, "{versions:?}");
}

/// Replicas that serve the Warehouses of one project, by turns.
struct Replicas {
    all: Vec<Cluster>,
    registry: Registry,
    path: String,
    pushed: BTreeSet<String>,
    deliveries: Vec<(usize, String)>,
}

impl Replicas {
    /// So many, with a journal each, or with one in a database.
    fn start(count: usize, journal: Option<&str>) -> Self {
        let (server, registry) = (shared(), quiet_registry());
        let project = server.namespace().unwrap();
        let mirror = format!("docker.io={}", registry.url());
        let start = |number: usize| {
            Cluster::of(server, &project, &server.kubeconfig(), |landfall| {
                let landfall = landfall
                    .env("HOSTNAME", &format!("replica-{number}"))
                    .arg("--controllers=warehouses")
                    .arg("--registry-rate-limit=1000000")
                    .arg("--registry-mirror")
                    .arg(&mirror);
                match journal {
                    Some(url) => landfall.env("LANDFALL_JOURNAL", url),
                    None => landfall,
                }
            })
        };
        let all: Vec<Cluster> = (0..count).map(start).collect();
        image(&registry, "1.0.0");
        all[0].apply(&(secret(&project, "s3cret") + &hub(&project)));
        all[0].apply(&warehouse(&project, "api", "shop/api"));
        let path = all[0].path();
        Self {
            all,
            registry,
            path,
            pushed: BTreeSet::from(["1.0.0".to_owned()]),
            deliveries: Vec::new(),
        }
    }

    /// Pushes an image and tells one replica.
    fn push(&mut self, tag: &str, replica: usize) {
        image(&self.registry, tag);
        self.pushed.insert(tag.to_owned());
        let delivery = self.all[replica].pushed(&self.path, "shop/api", tag, 1);
        self.deliveries.push((replica, delivery));
    }

    /// Waits until every replica knows who subscribed.
    fn are_ready(&self) {
        for replica in &self.all {
            replica.open(&self.path);
            replica.known(&self.path, "shop/api", 1);
        }
    }

    /// Who holds the Lease.
    fn holder(&self) -> Option<String> {
        let replica = &self.all[0];
        let lease = ["lease", "landfall", "--namespace", &replica.project];
        let lease = replica.server.get(&lease).ok()?;
        Some(lease["spec"]["holderIdentity"].as_str()?.to_owned())
    }

    /// Which one leads, other than the one that did.
    fn leader(&self, before: Option<usize>) -> usize {
        wait::until(PATIENCE, "a leader", || {
            let holder = self.holder()?;
            let number: usize = holder.strip_prefix("replica-")?.split('_').next()?.parse().ok()?;
            (Some(number) != before).then_some(number)
        })
        .unwrap()
    }

    /// Waits until the status has every image that was pushed, and answers the last request.
    fn have_it_all(&self) {
        self.all[0].warehouse_when("api", "every push", |status| {
            let references = status["discoveredArtifacts"]["images"][0]["references"].as_array();
            let tags = references.into_iter().flatten();
            let tags: BTreeSet<&str> = tags.filter_map(|reference| reference["tag"].as_str()).collect();
            self.pushed.iter().all(|tag| tags.contains(&**tag))
        });
        let token = self.all[0].refreshed(&["api"]).remove(0);
        self.all[0].warehouse_when("api", "an answer", |status| {
            status["lastHandledRefresh"] == token.as_str()
        });
    }
}

fn image(registry: &Registry, tag: &str) {
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("shop/api", tag, &ImageSpec::new(tag)).unwrap();
}

/// Whoever leads is killed right after an answer, twice, then told to stop; the others go on to receive, and another one leads.
/// At the end everything that was taken has had its effect.
fn leaders_come_and_go(count: usize, journal: Option<&str>) {
    let mut replicas = Replicas::start(count, journal);
    replicas.are_ready();
    let mut leader = replicas.leader(None);
    for round in 1..=2 {
        let (first, second) = (format!("1.{round}.0"), format!("1.{round}.1"));
        replicas.push(&first, leader);
        replicas.all[leader].landfall.kill9().unwrap();
        let other = (leader + 1) % count;
        replicas.push(&second, other);
        let killed = leader;
        leader = replicas.leader(Some(killed));
        replicas.all[killed].landfall.restart().unwrap();
        replicas.have_it_all();
    }
    replicas.push("1.3.0", leader);
    replicas.all[leader].landfall.terminate().unwrap();
    // It has handed over before it ended, and waited for nobody to notice.
    let holder = replicas.holder().unwrap_or_default();
    assert!(!holder.starts_with(&format!("replica-{leader}_")), "{holder}");
    replicas.push("1.3.1", (leader + 1) % count);
    let stopped = leader;
    replicas.leader(Some(stopped));
    replicas.all[stopped].landfall.restart().unwrap();
    replicas.have_it_all();
    for (replica, delivery) in &replicas.deliveries {
        replicas.all[*replica].done(delivery);
    }
}

#[test]
fn leaders_come_and_go_and_every_push_arrives() {
    leaders_come_and_go(3, None);
}

#[test]
fn two_lead_by_turns_and_every_push_arrives() {
    leaders_come_and_go(2, None);
}

#[test]
fn leaders_come_and_go_and_every_push_arrives_with_one_journal() {
    leaders_come_and_go(3, Some(&Postgres::shared().unwrap().database().unwrap()));
}

#[test]
fn two_lead_by_turns_and_every_push_arrives_with_one_journal() {
    leaders_come_and_go(2, Some(&Postgres::shared().unwrap().database().unwrap()));
}
