use std::process::Command;

use super::*;

const CONFIG_MAP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {interval: 2m}
";

#[test]
fn what_is_applied_is_there_and_what_is_tried_is_not() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let manifest = CONFIG_MAP.replace("NAMESPACE", &namespace);
    assert_eq!(
        server.try_apply(&manifest).unwrap(),
        "configmap/settings serverside-applied (server dry run)\n"
    );
    let what = ["configmap", "settings", "--namespace", &namespace];
    let error = server.get(&what).unwrap_err().to_string();
    assert!(error.contains("configmaps \"settings\" not found"), "{error}");
    server.apply(&manifest).unwrap();
    assert_eq!(
        server.get(&what).unwrap()["data"],
        serde_json::json!({"interval": "2m"})
    );
}

#[test]
fn unknown_fields_and_kinds_are_refused() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let manifest = CONFIG_MAP.replace("NAMESPACE", &namespace);
    for (from, to, expected) in [
        ("\ndata:", "\ndada:", ".dada: field not declared in schema"),
        (
            "kind: ConfigMap",
            "kind: ConfigMop",
            "no matches for kind \"ConfigMop\"",
        ),
        ("{interval: 2m}", "{interval: 2}", "interval: expected string"),
    ] {
        let error = server.try_apply(&manifest.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn the_definitions_of_the_peers_can_be_used() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    if programs::crds().unwrap().is_none() {
        println!("LEFT OUT: LANDFALL_CRDS names no definitions of the peers");
        return;
    }
    for _ in 0..2 {
        let whose = server.define_resources(|| anyhow::bail!("nobody asks for landfall's own"));
        assert_eq!(whose.unwrap(), Definitions::Peers);
    }
    let config = format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig\nmetadata: {{name: {namespace}, namespace: \
         {namespace}}}\nspec: {{webhookReceivers: [{{name: hub, dockerhub: {{secretRef: {{name: hub}}}}}}]}}\n"
    );
    server.apply(&config).unwrap();
    let what = ["projectconfigs.kargo.akuity.io", &namespace, "--namespace", &namespace];
    assert_eq!(server.get(&what).unwrap()["spec"]["webhookReceivers"][0]["name"], "hub");
}

#[test]
fn a_service_account_may_do_what_its_role_says() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let kubeconfig = server.service_account_kubeconfig(&namespace, "reader").unwrap();
    let as_reader = |args: &[&str]| {
        let mut command = Command::new(&server.programs.kubectl);
        command
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(args)
            .output()
            .unwrap()
    };
    let refused = as_reader(&["get", "configmaps"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(&format!("system:serviceaccount:{namespace}:reader")),
        "{said}"
    );
    let rights = ["create", "role", "reader", "--verb=get,list", "--resource=configmaps"];
    server
        .kubectl(&[&rights[..], &["--namespace", &namespace]].concat())
        .unwrap();
    let account = format!("--serviceaccount={namespace}:reader");
    let bind = [
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        &account,
        "--namespace",
        &namespace,
    ];
    server.kubectl(&bind).unwrap();
    // The API server's authorizer hears of new roles by a watch.
    wait::until(START_TIMEOUT, "the role to be in force", || {
        as_reader(&["get", "configmaps"]).status.success().then_some(())
    })
    .unwrap();
    assert!(!as_reader(&["get", "secrets"]).status.success());
}

#[test]
fn what_was_stored_survives_a_stop_of_the_api_server() {
    let mut server = ApiServer::start().unwrap();
    let namespace = server.namespace().unwrap();
    let (url, first) = (server.url(), server.process_id());
    server.stop();
    assert_eq!(server.process_id(), None);
    assert!(server.kubectl(&["get", "namespace", &namespace]).is_err());
    server.restart().unwrap();
    assert_eq!(
        server.get(&["namespace", &namespace]).unwrap()["metadata"]["name"],
        *namespace
    );
    assert_eq!(server.url(), url);
    assert_ne!(server.process_id(), first);
}

#[test]
fn nothing_is_left_of_it() {
    let server = ApiServer::start().unwrap();
    let folder = server.folder.path().to_owned();
    let ids = [server.process_id().unwrap(), server.etcd_process_id()];
    let process = |id: &u32| PathBuf::from(format!("/proc/{id}"));
    assert!(ids.iter().all(|id| process(id).exists()));
    drop(server);
    assert_eq!(ids.map(|id| process(&id).exists()), [false, false]);
    assert!(!folder.exists());
}
