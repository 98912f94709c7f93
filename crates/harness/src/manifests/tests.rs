use super::*;

#[test]
fn a_warehouse() {
    let subscriptions = image_subscription(
        "127.0.0.1:5000/app",
        "imageSelectionStrategy: SemVer\ndiscoveryLimit: 5",
    ) + &image_subscription("nginx", "");
    let expected = r#"apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata:
  name: "web"
  namespace: "demo"
spec:
  interval: "5m0s"
  subscriptions:
    - image:
        repoURL: "127.0.0.1:5000/app"
        imageSelectionStrategy: SemVer
        discoveryLimit: 5
    - image:
        repoURL: "nginx"
"#;
    assert_eq!(warehouse("web", "demo", "5m0s", &subscriptions), expected);
}

#[test]
fn a_project_with_a_receiver() {
    let expected = r#"apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata:
  name: "demo"
  namespace: "demo"
spec:
  webhookReceivers:
    - name: "hub"
      dockerhub:
        secretRef:
          name: "hub-secret"
---
apiVersion: v1
kind: Secret
metadata:
  name: "hub-secret"
  namespace: "demo"
  labels:
    kargo.akuity.io/cred-type: generic
stringData:
  secret: "a \"quoted\"\nsecret"
"#;
    assert_eq!(dockerhub_project("demo", "hub", "a \"quoted\"\nsecret"), expected);
}

#[test]
fn cluster_config_and_credentials() {
    let expected = r#"apiVersion: kargo.akuity.io/v1alpha1
kind: ClusterConfig
metadata:
  name: cluster
spec:
  webhookReceivers:
    - name: "q"
      quay:
        secretRef:
          name: "s"
"#;
    assert_eq!(cluster_config(&[Receiver::new("q", "quay", "s")]), expected);
    assert!(cluster_config(&[]).ends_with("  name: cluster\nspec: {}\n"));
    let expected = r#"apiVersion: v1
kind: Secret
metadata:
  name: "creds"
  namespace: "demo"
  labels:
    kargo.akuity.io/cred-type: image
stringData:
  repoURL: "127.0.0.1:5000/app"
  username: "ann"
  password: "s3cret"
"#;
    let credentials = Credentials::new("ann", "s3cret");
    assert_eq!(
        image_credentials("creds", "demo", "127.0.0.1:5000/app", &credentials),
        expected
    );
}

#[test]
fn published_paths() {
    for (receiver, secret, hash) in [
        (
            "my-first-receiver",
            "soylent green is people\n",
            "804b6f6bb40eb1f0e371f971d71dd95549be4bc9cbf868046941115f44073c67",
        ),
        (
            "my-second-receiver",
            "rosebud was a sled\n",
            "0eba9ff2a91f04f7787404b8f8f0edaf8cf8c39add34082651a474803cc99015",
        ),
    ] {
        assert_eq!(
            receiver_path("quay", "kargo-demo", receiver, secret),
            format!("/quay/{hash}")
        );
    }
}

#[test]
fn files_are_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("manifests");
    for text in ["one", "two"] {
        let path = write(&folder, "a.yaml", text).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
