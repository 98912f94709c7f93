//! Who may read the metrics: whom the API server lets, with the rights that the manifests give; and nobody while it does not say.

use std::path::Path;

use landfall_harness::http::Request;
use landfall_harness::{ApiServer, Rule, wait};

use crate::scraped::Scraped;
use crate::secured::{Client, tls};
use crate::world::PATIENCE;

/// By which landfall asks the API server, and by which somebody may read.
const ASKING: &str = "argocd-image-updater-metrics-auth-role";
const READING: &str = "argocd-image-updater-metrics-reader";

/// An API server with the roles of the manifests, and a namespace with accounts.
struct Accounts {
    server: &'static ApiServer,
    namespace: String,
}

impl Accounts {
    fn new() -> Self {
        let server = ApiServer::shared().unwrap();
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kustomize/base/metrics.yaml");
        let manifests = std::fs::read_to_string(base).unwrap();
        let roles: Vec<&str> = manifests
            .split("\n---\n")
            .filter(|manifest| manifest.contains("\nkind: ClusterRole\n"))
            .collect();
        assert_eq!(roles.len(), 2, "{manifests}");
        server.apply(&roles.join("\n---\n")).unwrap();
        let namespace = server.namespace().unwrap();
        Self { server, namespace }
    }

    /// Gives an account a role.
    fn bind(&self, account: &str, role: &str) {
        let binding = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAMESPACE-ACCOUNT-ROLE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}
subjects: [{kind: ServiceAccount, name: ACCOUNT, namespace: NAMESPACE}]
";
        let binding = binding.replace("ROLE", role).replace("ACCOUNT", account);
        self.server
            .apply(&binding.replace("NAMESPACE", &self.namespace))
            .unwrap();
    }

    /// A token of an account, which is made if need be; no two are the same.
    fn token(&self, account: &str) -> String {
        self.server
            .service_account_kubeconfig(&self.namespace, account)
            .unwrap();
        let create = ["create", "token", account, "--namespace", &self.namespace];
        self.server.kubectl(&create).unwrap().trim().to_owned()
    }
}

/// A landfall that asks as a kubeconfig says.
fn scraped(kubeconfig: &Path) -> Scraped {
    Scraped::start(|_| vec![format!("--kubeconfig={}", kubeconfig.display())])
}

/// What whoever sends this as `Authorization` is told.
pub fn read(scraped: &Scraped, authorization: Option<&str>) -> (u16, String) {
    let mut client = Client {
        stream: tls(&scraped.metrics, &[]),
    };
    let request = Request::new("GET", "/metrics");
    client.ask(&match authorization {
        Some(authorization) => request.header("Authorization", authorization),
        None => request,
    })
}

fn with(scraped: &Scraped, token: &str) -> (u16, String) {
    read(scraped, Some(&format!("Bearer {token}")))
}

/// Waits until whoever has a token may read.
fn admitted(scraped: &Scraped, token: &str) {
    let mut last = (0, String::new());
    let found = wait::until(PATIENCE, "the metrics", || {
        last = with(scraped, token);
        (last.0 == 200 && last.1.contains("# EOF")).then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error}; the answer is {last:?}\n{}", scraped.log()));
}

/// Waits until landfall has said something: its log is written by a thread of its own.
fn says(scraped: &Scraped, words: &str) {
    let said = wait::until(PATIENCE, words, || scraped.log().contains(words).then_some(()));
    said.unwrap_or_else(|error| panic!("{error}\n{}", scraped.log()));
}

#[test]
fn metrics_are_for_whom_the_api_server_lets_read_them() {
    let accounts = Accounts::new();
    let asking = accounts
        .server
        .service_account_kubeconfig(&accounts.namespace, "landfall")
        .unwrap();
    accounts.bind("prometheus", READING);
    let (prometheus, curious) = (accounts.token("prometheus"), accounts.token("curious"));
    let scraped = scraped(&asking);

    // landfall itself has no right to ask yet: nobody may read, and its log says what is missing.
    let unknown = (503, "Authentication failed\n".to_owned());
    assert_eq!(with(&scraped, &prometheus), unknown);
    says(&scraped, "nobody may read the metrics");
    says(&scraped, "tokenreviews");
    accounts.bind("landfall", ASKING);
    admitted(&scraped, &prometheus);
    says(&scraped, "the API server says again who may read the metrics");

    let unauthorized = (401, "Unauthorized\n".to_owned());
    assert_eq!(read(&scraped, None), unauthorized);
    assert_eq!(read(&scraped, Some(&format!("Basic {prometheus}"))), unauthorized);
    assert_eq!(with(&scraped, "nobody's"), unauthorized);
    assert_eq!(with(&scraped, &prometheus[..prometheus.len() - 4]), unauthorized);
    let user = format!("system:serviceaccount:{}:curious", accounts.namespace);
    assert_eq!(
        with(&scraped, &curious),
        (403, format!("Authorization denied for user {user}\n"))
    );
    accounts.bind("curious", READING);
    admitted(&scraped, &curious);
    for token in [&prometheus, &curious] {
        assert!(!scraped.log().contains(token.as_str()), "a token is in the log");
    }
}

#[test]
fn the_api_server_is_asked_once_for_many_scrapes_and_nobody_may_while_it_is_gone() {
    let accounts = Accounts::new();
    let proxy = accounts.server.proxy().unwrap();
    accounts.bind("prometheus", READING);
    let scraped = scraped(proxy.kubeconfig());
    let first = accounts.token("prometheus");
    proxy.take_requests();
    for _ in 0..5 {
        assert_eq!(with(&scraped, &first).0, 200, "{}", scraped.log());
    }
    let asked: Vec<String> = proxy.take_requests().into_iter().map(|request| request.path).collect();
    let reviews = [
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    ];
    let is_of = |asked: &str, review: &str| asked.split('?').next() == Some(review);
    assert!(
        asked.len() == 2 && asked.iter().zip(reviews).all(|(asked, review)| is_of(asked, review)),
        "{asked:?}"
    );

    // Whether it is the first question or the second that has no answer.
    let unknown = (503, "Authentication failed\n".to_owned());
    for review in reviews {
        proxy.rule(Rule::on(review).hang_up());
        let token = accounts.token("prometheus");
        assert_eq!(with(&scraped, &token), unknown);
        proxy.clear_rules();
        // That there was no answer is not remembered.
        assert_eq!(with(&scraped, &token).0, 200, "{}", scraped.log());
    }
    drop(proxy);
    assert_eq!(with(&scraped, &accounts.token("prometheus")), unknown);
    assert_eq!(read(&scraped, None).0, 401);
    says(&scraped, "the API server cannot be reached");
}
