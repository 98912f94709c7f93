//! What `deploy/` says is what a cluster takes, and what Image Updater's settings and landfall's ports need. Of
//! landfall it knows the arguments alone, not how it reads the rest.

use std::path::{Path, PathBuf};

use landfall_harness::ApiServer;
use serde_json::{Value, json};

use crate::world::World;

/// The namespace that the base is made for.
const NAMESPACE: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}";
const CONFIG_MAP: &str = "argocd-image-updater-config";
const SECRET: &str = "argocd-image-updater-secret";
const CONTROLLER: &str = "argocd-image-updater-controller";

/// As much of the Prometheus operator's definition as tells a ServiceMonitor from a mistake.
const SERVICE_MONITORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, listKind: ServiceMonitorList, plural: servicemonitors, singular: servicemonitor}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [endpoints, selector]
              properties:
                selector: {type: object, properties: {matchLabels: {type: object, additionalProperties: {type: string}}}}
                endpoints:
                  type: array
                  items:
                    type: object
                    properties:
                      port: {type: string}
                      scheme: {type: string, enum: [http, https]}
                      path: {type: string}
                      bearerTokenFile: {type: string}
                      tlsConfig: {type: object, properties: {insecureSkipVerify: {type: boolean}}}
";

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/kustomize")
        .join(name)
}

/// The folders that somebody may apply as they are.
fn entry_points() -> Vec<String> {
    let overlays = folder("overlays").read_dir().expect("there are overlays");
    let names = overlays.map(|entry| entry.expect("the folder can be read").file_name());
    let overlays = names.map(|name| format!("overlays/{}", name.to_string_lossy()));
    std::iter::once("base".to_owned()).chain(overlays).collect()
}

/// What a folder makes, one value for each object.
pub fn objects(name: &str) -> Vec<Value> {
    let server = ApiServer::shared().unwrap();
    let text = server.kustomize(&folder(name)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn container(objects: &[Value]) -> &Value {
    &find(objects, "Deployment", CONTROLLER)["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn the_api_server_takes_the_base_and_every_overlay() {
    let server = ApiServer::shared().unwrap();
    server.apply(NAMESPACE).unwrap();
    server.apply(SERVICE_MONITORS).unwrap();
    let established = "--for=condition=Established";
    server
        .kubectl(&[
            "wait",
            established,
            "--timeout=60s",
            "crd/servicemonitors.monitoring.coreos.com",
        ])
        .unwrap();
    let names = entry_points();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let manifests = server.kustomize(&folder(&name)).unwrap();
        let taken = server
            .try_apply(&manifests)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(taken.lines().count(), objects(&name).len(), "{name}: {taken}");
    }
}

#[test]
fn all_components_go_together() {
    let server = ApiServer::shared().unwrap();
    let own = tempfile::tempdir().unwrap();
    let copy = own.path().join("kustomize");
    copy_folder(&folder("."), &copy);
    let components = [
        "webhook-only",
        "ingress",
        "network-policy",
        "service-monitor",
        "pod-disruption-budget",
    ];
    let listed: String = components.map(|name| format!("  - components/{name}\n")).concat();
    let kustomization = format!("resources: [base]\nnamespace: elsewhere\ncomponents:\n{listed}");
    std::fs::write(copy.join("kustomization.yaml"), kustomization).unwrap();
    let made: Vec<Value> = serde_saphyr::from_multiple(&server.kustomize(&copy).unwrap()).unwrap();
    assert_eq!(made.len(), 15 + 1 + 2 + 1 + 1);
    let binding = find(
        &made,
        "ClusterRoleBinding",
        "argocd-image-updater-metrics-auth-rolebinding",
    );
    assert_eq!(binding["subjects"][0]["namespace"], "elsewhere");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let there = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &there);
        } else {
            std::fs::copy(&path, &there).unwrap();
        }
    }
}

#[test]
fn every_setting_of_image_updater_is_wired() {
    let objects = objects("base");
    let mut expected = vec![
        json!({"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}),
        json!({"name": "LANDFALL_DATA_DIR", "value": "/data"}),
        json!({"name": "LANDFALL_MANIFESTS", "value": "/app/manifests"}),
    ];
    for (key, variable) in [
        ("argocd.namespace", "ARGOCD_NAMESPACE"),
        ("watch.namespaces", "IMAGE_UPDATER_WATCH_NAMESPACES"),
        ("interval", "IMAGE_UPDATER_INTERVAL"),
        ("log.level", "IMAGE_UPDATER_LOGLEVEL"),
        ("log.format", "IMAGE_UPDATER_LOGFORMAT"),
        ("max_concurrent_apps", "MAX_CONCURRENT_APPS"),
        ("max_concurrent_reconciles", "MAX_CONCURRENT_RECONCILES"),
        ("git.user", "GIT_COMMIT_USER"),
        ("git.email", "GIT_COMMIT_EMAIL"),
        ("git.commit-signing-key", "GIT_COMMIT_SIGNING_KEY"),
        ("git.commit-signing-method", "GIT_COMMIT_SIGNING_METHOD"),
        ("git.commit-sign-off", "GIT_COMMIT_SIGN_OFF"),
        ("kube.events", "IMAGE_UPDATER_KUBE_EVENTS"),
        ("webhook.enable", "ENABLE_WEBHOOK"),
        ("webhook.require-secret", "WEBHOOK_REQUIRE_SECRET"),
        ("webhook.port", "WEBHOOK_PORT"),
        ("webhook.ratelimit-allowed", "WEBHOOK_RATELIMIT_ALLOWED"),
        ("disable-tls", "DISABLE_TLS"),
        ("tls.min-version", "TLS_MIN_VERSION"),
        ("tls.max-version", "TLS_MAX_VERSION"),
        ("tls.ciphers", "TLS_CIPHERS"),
    ] {
        let source = json!({"configMapKeyRef": {"name": CONFIG_MAP, "key": key, "optional": true}});
        expected.push(json!({"name": variable, "valueFrom": source}));
    }
    for (key, variable) in [
        ("webhook.docker-secret", "DOCKER_WEBHOOK_SECRET"),
        ("webhook.ghcr-secret", "GHCR_WEBHOOK_SECRET"),
        ("webhook.harbor-secret", "HARBOR_WEBHOOK_SECRET"),
        ("webhook.quay-secret", "QUAY_WEBHOOK_SECRET"),
        ("webhook.aliyun-acr-secret", "ALIYUN_ACR_WEBHOOK_SECRET"),
        ("webhook.acr-secret", "ACR_WEBHOOK_SECRET"),
        ("webhook.cloudevents-secret", "CLOUDEVENTS_WEBHOOK_SECRET"),
        ("webhook.eventbridge-secret", "EVENTBRIDGE_WEBHOOK_SECRET"),
        ("webhook.distribution-secret", "DISTRIBUTION_WEBHOOK_SECRET"),
    ] {
        for (key, variable) in [
            (key.to_owned(), variable.to_owned()),
            (format!("{key}-previous"), format!("{variable}_PREVIOUS")),
        ] {
            let source = json!({"secretKeyRef": {"name": SECRET, "key": key, "optional": true}});
            expected.push(json!({"name": variable, "valueFrom": source}));
        }
    }
    assert_eq!(container(&objects)["env"], Value::Array(expected));
}

#[test]
fn files_are_where_image_updater_has_them() {
    let objects = objects("base");
    let pod = &find(&objects, "Deployment", CONTROLLER)["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().unwrap();
    let mounts = container(&objects)["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| {
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            let mut source = volume.clone();
            source.as_object_mut().unwrap().remove("name");
            (mount["mountPath"].as_str().unwrap(), mount["subPath"].as_str(), source)
        });
    let files = json!([
        {"key": "registries.conf", "path": "registries.conf"},
        {"key": "git.commit-message-template", "path": "commit.template"},
    ]);
    let config_map = |name: &str| json!({"configMap": {"name": name, "optional": true}});
    let secret = |name: &str| json!({"secret": {"secretName": name, "optional": true}});
    assert_eq!(
        mounts.collect::<Vec<_>>(),
        [
            (
                "/data",
                None,
                json!({"persistentVolumeClaim": {"claimName": "landfall-data"}})
            ),
            (
                "/app/manifests",
                None,
                json!({"projected": {"sources": [
                    {"configMap": {"name": "landfall-manifests", "optional": true}},
                    {"secret": {"name": "landfall-manifests", "optional": true}},
                ]}})
            ),
            ("/tmp", None, json!({"emptyDir": {}})),
            (
                "/app/config",
                None,
                json!({"configMap": {"name": CONFIG_MAP, "optional": true, "items": files}})
            ),
            ("/app/config/ssh", None, config_map("argocd-ssh-known-hosts-cm")),
            ("/app/config/tls", None, secret("argocd-image-updater-tls")),
            ("/app/.ssh", None, config_map("argocd-image-updater-ssh-config")),
            ("/app/ssh-keys/id_rsa", Some("sshPrivateKey"), secret("ssh-git-creds")),
        ]
    );
}

#[test]
fn ports_fit_the_command_that_runs() {
    for (name, command, webhook) in [("base", "run", 8082), ("overlays/webhook-only", "webhook", 8080)] {
        let objects = objects(name);
        let container = container(&objects);
        assert_eq!(container["args"], json!(["--metrics-bind-address=:8443", command]));
        let port = |name: &str, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
        let ports = json!([port("webhook", webhook), port("probes", 8081), port("metrics", 8443)]);
        assert_eq!(container["ports"], ports, "{name}");
        for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
            assert_eq!(
                container[probe]["httpGet"],
                json!({"path": path, "port": "probes"}),
                "{name}"
            );
        }
    }
    let mut pointing = Vec::new();
    for name in entry_points() {
        for object in objects(&name) {
            let targets = match object["kind"].as_str() {
                Some("Service") => ports(&object["spec"]["ports"], "targetPort"),
                Some("NetworkPolicy") => ports(&object["spec"]["ingress"][0]["ports"], "port"),
                _ => continue,
            };
            pointing.extend(targets);
        }
    }
    pointing.sort_unstable();
    pointing.dedup();
    assert_eq!(
        pointing,
        ["metrics", "webhook"],
        "by name, so that they fit both commands"
    );
}

fn ports(list: &Value, field: &str) -> Vec<String> {
    let ports = list.as_array().unwrap().iter();
    ports.map(|port| port[field].as_str().unwrap().to_owned()).collect()
}

/// The image's entry point is Image Updater's; its arguments are understood as they stand, and name flags that there are.
#[test]
fn arguments_are_understood_as_they_stand() {
    let mut commands = Vec::new();
    for name in entry_points() {
        let objects = objects(&name);
        let args: Vec<&str> = container(&objects)["args"]
            .as_array()
            .expect("the container has arguments")
            .iter()
            .map(|arg| arg.as_str().expect("an argument is text"))
            .collect();
        let run = |args: &[&str]| {
            let output = World::command(args);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            (output.status.code(), said)
        };
        let (code, said) = run(&[&args[..], &["--help"]].concat());
        assert!(
            code == Some(0) && said.contains("--webhook-port"),
            "{name}: {args:?}: {said}"
        );
        // Nothing but the place of the resources is missing: all arguments were read before that is said.
        let (code, said) = run(&args);
        assert!(
            code != Some(0) && said.contains("--manifests DIR is missing"),
            "{name}: {args:?}: {said}"
        );
        commands.push(args[1].to_owned());
    }
    commands.sort();
    commands.dedup();
    assert_eq!(commands, ["run", "webhook"]);
}

#[test]
fn the_pod_has_no_more_rights_on_its_node_than_it_needs() {
    for name in entry_points() {
        let objects = objects(&name);
        let pod = &find(&objects, "Deployment", CONTROLLER)["spec"]["template"]["spec"];
        assert_eq!(
            pod["securityContext"],
            json!({
                "runAsNonRoot": true, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
            })
        );
        assert_eq!(
            container(&objects)["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            })
        );
    }
}

/// Asks the API server whether the controller may do `verb` to `resource`, which is `group/resource[/subresource]`, by
/// that name if it is not empty.
fn controller_may(namespace: &str, verb: &str, resource: &str, name: &str) -> bool {
    may(&format!("argocd:{CONTROLLER}"), namespace, verb, resource, name)
}

/// The same for any service account, as `namespace:name`; an empty namespace asks for the whole cluster.
pub fn may(account: &str, namespace: &str, verb: &str, resource: &str, name: &str) -> bool {
    let mut parts = resource.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let (group, resource, subresource) = (part(), part(), part());
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{account}"),
            "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                "name": name,
            },
        },
    });
    let server = ApiServer::shared().unwrap();
    let create = ["create", "--output=jsonpath={.status.allowed}", "--filename=-"];
    server.kubectl_with(&create, &review.to_string()).unwrap() == "true"
}

#[test]
fn the_controller_may_do_this_and_nothing_more() {
    const UPDATERS: &str = "argocd-image-updater.argoproj.io/imageupdaters";
    const LEASES: &str = "coordination.k8s.io/leases";
    let server = ApiServer::shared().unwrap();
    server.apply(NAMESPACE).unwrap();
    server.apply(&server.kustomize(&folder("base")).unwrap()).unwrap();
    // The API server's authorizer hears of new roles by watches, one for each kind.
    landfall_harness::wait::until(crate::world::PATIENCE, "the roles to be in force", || {
        let allowed = ["/secrets", UPDATERS, LEASES].map(|resource| {
            let name = if resource == LEASES { "c21b75f2.argoproj.io" } else { "" };
            controller_may("argocd", "get", resource, name)
        });
        (allowed == [true; 3]).then_some(())
    })
    .unwrap();
    for (verb, resource, name, expected) in [
        ("list", "/secrets", "", true),
        ("update", "/secrets", "", false),
        ("watch", "/configmaps", CONFIG_MAP, true),
        ("get", "/configmaps", "somebody-elses", false),
        ("list", "/configmaps", "", false),
        ("patch", "argoproj.io/applications", "", true),
        ("delete", "argoproj.io/applications", "", false),
        ("patch", UPDATERS, "", true),
        ("create", UPDATERS, "", false),
        ("delete", UPDATERS, "", false),
        (
            "patch",
            "argocd-image-updater.argoproj.io/imageupdaters/status",
            "",
            true,
        ),
        ("create", LEASES, "", true),
        ("update", LEASES, "c21b75f2.argoproj.io", true),
        ("update", LEASES, "somebody-elses", false),
        ("create", "/events", "", true),
        ("delete", "/events", "", false),
        ("create", "/pods", "", false),
        ("create", "authentication.k8s.io/tokenreviews", "", true),
        ("create", "authorization.k8s.io/subjectaccessreviews", "", true),
        ("create", "rbac.authorization.k8s.io/rolebindings", "", false),
    ] {
        assert_eq!(
            controller_may("argocd", verb, resource, name),
            expected,
            "{verb} {resource} {name}"
        );
    }
    for resource in ["/secrets", "argoproj.io/applications", UPDATERS] {
        assert!(
            !controller_may("kube-system", "get", resource, ""),
            "{resource} elsewhere"
        );
    }
}

#[test]
fn secrets_that_are_filled_stay_filled() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let mut secret = find(&objects("base"), "Secret", SECRET).clone();
    secret["metadata"]["namespace"] = namespace.as_str().into();
    let as_people_apply = ["apply", "--filename=-"];
    server.kubectl_with(&as_people_apply, &secret.to_string()).unwrap();
    let mut filled = secret.clone();
    filled["data"] = json!({"webhook.docker-secret": "Y2hhbmdlLW1l"});
    // As deploy/kustomize/README.md says: under a name of its own, since an applier takes back what it no longer says.
    let by_hand = [
        "apply",
        "--server-side",
        "--field-manager=webhook-secrets",
        "--filename=-",
    ];
    server.kubectl_with(&by_hand, &filled.to_string()).unwrap();
    for again in [as_people_apply.as_slice(), &["apply", "--server-side", "--filename=-"]] {
        server.kubectl_with(again, &secret.to_string()).unwrap();
        let there = server.get(&["secret", SECRET, "--namespace", &namespace]).unwrap();
        assert_eq!(
            there["data"],
            json!({"webhook.docker-secret": "Y2hhbmdlLW1l"}),
            "{again:?}"
        );
    }
}

#[test]
fn the_image_is_made_of_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (dockerfile, ignored) = (read("Dockerfile"), read(".dockerignore"));
    let (mut stages, mut copied) = (Vec::new(), 0);
    for line in dockerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["FROM", _, "AS", stage] => stages.push(*stage),
            ["COPY", from, _, _] if from.starts_with("--from=") => {
                assert!(stages.contains(&from.trim_start_matches("--from=")), "{line}");
            }
            ["COPY", sources @ .., _] => {
                for source in sources {
                    copied += 1;
                    assert!(root.join(source).exists(), "{line}: {source} does not exist");
                    assert!(
                        ignored.lines().any(|line| line == format!("!{source}")),
                        "{source} is ignored"
                    );
                }
            }
            _ => {}
        }
    }
    assert_eq!((stages, copied), (vec!["build"], 5));
    let profile = "[profile.dist]";
    assert!(
        read("Cargo.toml").contains(profile),
        "the image is built with {profile}"
    );
    // A stock Deployment sets arguments alone, and lets the container write to /tmp alone.
    for line in [
        "ENTRYPOINT [\"/sbin/tini\", \"--\", \"/manager\"]",
        "ENV LANDFALL_DATA_DIR=/tmp/landfall LANDFALL_MANIFESTS=/app/manifests",
        "USER 1000:1000",
        "WORKDIR /app",
    ] {
        assert!(
            dockerfile.lines().any(|there| there == line),
            "the Dockerfile has no line {line}"
        );
    }
}
