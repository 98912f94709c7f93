use std::path::Path;
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig};
use landfall_harness::ApiServer;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;

/// So long the tests wait for what must come, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);
const NAME: &str = "landfall-test";

/// A Lease that is over soon.
fn short() -> Timing {
    timing(4_000, 3_000)
}

/// A Lease that is never over while the test runs: whoever leads next was let.
fn long() -> Timing {
    timing(3_600_000, 2_400_000)
}

fn timing(lease: u64, deadline: u64) -> Timing {
    let [lease, deadline, retry] = [lease, deadline, 250].map(Duration::from_millis);
    Timing::new(lease, deadline, retry).unwrap()
}

/// One test's Lease, on an API server.
struct Stage<'a> {
    server: &'a ApiServer,
    namespace: String,
}

impl<'a> Stage<'a> {
    fn on(server: &'a ApiServer) -> Self {
        crate::app::install_crypto();
        let namespace = server.namespace().unwrap();
        Self { server, namespace }
    }

    async fn client(&self, through: Option<&Bridge>) -> Client {
        let mut kubeconfig = Kubeconfig::read_from(self.server.kubeconfig()).unwrap();
        if let Some(bridge) = through {
            let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
            cluster.server = Some(format!("https://127.0.0.1:{}", bridge.port));
        }
        client(kubeconfig).await
    }

    async fn candidate(&self, pod: &str, timing: Timing) -> Elected {
        self.candidate_through(None, pod, timing).await
    }

    async fn candidate_through(&self, bridge: Option<&Bridge>, pod: &str, timing: Timing) -> Elected {
        let election = Election {
            client: self.client(bridge).await,
            namespace: self.namespace.clone(),
            name: NAME.to_owned(),
            identity: identity(pod),
            timing,
        };
        election.start()
    }

    fn kubectl(&self, args: &[&str]) {
        let args: Vec<&str> = args.iter().copied().chain(["--namespace", &self.namespace]).collect();
        self.server.kubectl(&args).unwrap();
    }

    /// What the Lease says to whoever asks the API server.
    fn lease(&self) -> Value {
        self.server
            .get(&["lease", NAME, "--namespace", &self.namespace])
            .unwrap()
    }
}

async fn client(kubeconfig: Kubeconfig) -> Client {
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// Waits until a candidate leads.
async fn leads(candidate: &Elected) -> Term {
    let mut leadership = candidate.leadership();
    let led = leadership.wait_for(|leadership| leadership.term().is_some());
    let led = tokio::time::timeout(PATIENCE, led).await.expect("it leads").unwrap();
    led.term().expect("it has only just begun")
}

/// Waits until a candidate follows somebody whose name begins so, or nobody.
async fn follows(candidate: &Elected, pod: Option<&str>) {
    let mut leadership = candidate.leadership();
    let followed = leadership.wait_for(|leadership| match leadership {
        Leadership::Leader { .. } => false,
        Leadership::Follower { holder } => match pod {
            None => holder.is_none(),
            Some(pod) => holder.as_ref().is_some_and(|holder| holder.starts_with(pod)),
        },
    });
    tokio::time::timeout(PATIENCE, followed)
        .await
        .expect("it follows")
        .unwrap();
}

fn term_of(candidate: &Elected) -> Option<Term> {
    candidate.leadership().borrow().term()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_leads_and_hands_over_when_it_stops() {
    let stage = Stage::on(ApiServer::shared().unwrap());
    let first = stage.candidate("first", long()).await;
    let term = leads(&first).await;
    let second = stage.candidate("second", long()).await;
    follows(&second, Some("first_")).await;
    assert_eq!((term_of(&first), term_of(&second)), (Some(term), None));
    let spec = stage.lease()["spec"].clone();
    assert!(spec["holderIdentity"].as_str().unwrap().starts_with("first_"), "{spec}");
    assert_eq!(
        (&spec["leaseDurationSeconds"], &spec["leaseTransitions"]),
        (&3_600.into(), &0.into())
    );

    let watched = first.leadership();
    first.resign().await;
    assert_eq!(watched.borrow().term(), None);
    assert!(leads(&second).await > term);
    assert_eq!(stage.lease()["spec"]["leaseTransitions"], 1);

    // Nobody is there to take over; the next one that comes need not wait.
    second.resign().await;
    assert_eq!(stage.lease()["spec"]["holderIdentity"], Value::Null);
    leads(&stage.candidate("third", long()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_another_leads_when_the_leader_is_killed() {
    let stage = Stage::on(ApiServer::shared().unwrap());
    let killed = stage.candidate("killed", short()).await;
    let term = leads(&killed).await;
    let others = [
        stage.candidate("second", short()).await,
        stage.candidate("third", short()).await,
    ];
    for other in &others {
        follows(other, Some("killed_")).await;
    }
    drop(killed);
    let [second, third] = &others;
    let (next, new_leader, follower) = tokio::select! {
        term = leads(second) => (term, "second_", third),
        term = leads(third) => (term, "third_", second),
    };
    assert!(next > term);
    follows(follower, Some(new_leader)).await;
    assert_eq!(term_of(follower), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_an_api_server_stands_down_and_leads_again() {
    let mut server = ApiServer::start().unwrap();
    let stage = Stage::on(&server);
    let only = stage.candidate("only", short()).await;
    let term = leads(&only).await;
    server.stop();
    follows(&only, None).await;
    server.restart().unwrap();
    // Nobody else led meanwhile.
    assert_eq!(leads(&only).await, term);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_has_stood_down_when_another_leads() {
    let stage = Stage::on(ApiServer::shared().unwrap());
    let bridge = Bridge::to(stage.server).await;
    let far = stage.candidate_through(Some(&bridge), "far", short()).await;
    let term = leads(&far).await;
    let near = stage.candidate("near", short()).await;
    follows(&near, Some("far_")).await;
    bridge.cut();
    let next = leads(&near).await;
    assert_eq!(term_of(&far), None);
    assert!(next > term);
    // The one that is cut off knows nothing of the other one, but that itself does not lead.
    assert!(matches!(*far.leadership().borrow(), Leadership::Follower { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_writes_into_the_lease_stays_and_the_leader_goes_on() {
    let stage = Stage::on(ApiServer::shared().unwrap());
    let only = stage.candidate("only", long()).await;
    let term = leads(&only).await;
    let version = || stage.lease()["metadata"]["resourceVersion"].clone();
    stage.kubectl(&["annotate", "lease", NAME, "example.com/note=kept"]);
    let noted = version();
    let renewed = async {
        while version() == noted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("it renews");
    assert_eq!(stage.lease()["metadata"]["annotations"]["example.com/note"], "kept");
    assert_eq!(term_of(&only), Some(term));

    stage.kubectl(&["delete", "lease", NAME]);
    let mut leadership = only.leadership();
    let again = leadership.wait_for(|leadership| leadership.term().is_some_and(|new| new > term));
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("it makes another")
        .unwrap();

    let taken = r#"{"spec":{"holderIdentity":"somebody"}}"#;
    stage.kubectl(&["patch", "lease", NAME, "--type=merge", "--patch", taken]);
    follows(&only, Some("somebody")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_needs_no_more_than_the_role_that_is_deployed() {
    let stage = Stage::on(ApiServer::shared().unwrap());
    let rights = "../../deploy/kustomize/kargo/components/warehouses/rights.yaml";
    let rights = Path::new(env!("CARGO_MANIFEST_DIR")).join(rights);
    let rights = std::fs::read_to_string(rights).unwrap();
    let roles = rights
        .split("---\n")
        .filter(|part| part.contains("landfall-leader-election"));
    let roles = roles
        .collect::<Vec<_>>()
        .join("---\n")
        .replace("namespace: kargo", &format!("namespace: {}", stage.namespace));
    stage.server.kubectl_with(&["apply", "--filename=-"], &roles).unwrap();
    let kubeconfig = stage
        .server
        .service_account_kubeconfig(&stage.namespace, "kargo-external-webhooks-server");
    let election = || async {
        Election {
            client: client(Kubeconfig::read_from(kubeconfig.as_ref().unwrap()).unwrap()).await,
            namespace: stage.namespace.clone(),
            name: "landfall-landfall".to_owned(),
            identity: identity("pod"),
            timing: long(),
        }
    };
    // What it may not do yet it tries again: the API server hears of new roles some moments later.
    let first = election().await.start();
    leads(&first).await;
    first.resign().await;
    leads(&election().await.start()).await;
}

/// Carries bytes to the API server and back, until it is cut: then connections stay open and nothing comes through.
struct Bridge {
    port: u16,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Bridge {
    async fn to(server: &ApiServer) -> Self {
        let address = server.url().trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Notify::new());
        let until = cut.clone();
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            let mut carried = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    near = listener.accept() => {
                        let near = Arc::new(near.unwrap().0);
                        let far = Arc::new(TcpStream::connect(&address).await.unwrap());
                        carried.spawn(carry(near.clone(), far.clone()));
                        carried.spawn(carry(far.clone(), near.clone()));
                        open.push((near, far));
                    }
                    () = until.notified() => break,
                }
            }
            carried.shutdown().await;
            std::future::pending::<()>().await;
        });
        Self { port, cut, task }
    }

    fn cut(&self) {
        self.cut.notify_one();
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(from: Arc<TcpStream>, to: Arc<TcpStream>) {
    let mut buffer = [0; 4096];
    loop {
        from.readable().await.unwrap();
        let mut rest = match from.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => &buffer[..read],
            Err(_not_yet) => continue,
        };
        while !rest.is_empty() {
            to.writable().await.unwrap();
            if let Ok(written) = to.try_write(rest) {
                rest = &rest[written..];
            }
        }
    }
}
