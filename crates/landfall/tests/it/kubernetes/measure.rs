//! Measures how long it takes until every Warehouse of a project has another annotation than before.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Config};
use serde_json::json;

use super::cluster::Cluster;

/// As many as landfall has at once.
const AT_ONCE: usize = 64;

async fn warehouses(cluster: &Cluster) -> Api<DynamicObject> {
    // A second call changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(cluster.server.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("kargo.akuity.io", "v1alpha1", "Warehouse"));
    Api::namespaced_with(client, &cluster.project, &kind)
}

/// The time from `begin` until a watch has seen a change of all.
async fn seen<B: Future<Output = ()>>(api: Api<DynamicObject>, begin: impl FnOnce() -> B) -> Duration {
    let mut events = pin!(watcher::watcher(api, watcher::Config::default()));
    let mut all = BTreeSet::new();
    loop {
        match events.next().await.unwrap().unwrap() {
            Event::InitApply(object) => drop(all.insert(object.metadata.name.unwrap())),
            Event::InitDone => break,
            Event::Init | Event::Apply(_) | Event::Delete(_) => {}
        }
    }
    let began = Instant::now();
    let beginning = begin();
    let watching = async {
        while !all.is_empty() {
            if let Event::Apply(object) = events.next().await.unwrap().unwrap() {
                all.remove(&object.metadata.name.unwrap());
            }
        }
        began.elapsed()
    };
    tokio::join!(beginning, watching).1
}

/// Patches that are sent side by side, over connections that are open already.
pub async fn direct(cluster: &Cluster, names: &[String]) -> Duration {
    let api = warehouses(cluster).await;
    let patch_all = |token: &'static str| {
        let api = api.clone();
        async move {
            let patch = |name: String| {
                let api = api.clone();
                let patch = json!({ "metadata": { "annotations": { "kargo.akuity.io/refresh": format!("{token} {:?}", Instant::now()) } } });
                async move {
                    let patched = api
                        .patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch))
                        .await;
                    drop(patched.unwrap());
                }
            };
            futures_util::stream::iter(names.iter().cloned().map(patch))
                .for_each_concurrent(AT_ONCE, |patched| patched)
                .await;
        }
    };
    patch_all("warm").await;
    seen(api.clone(), || patch_all("measured")).await
}

/// One delivery.
pub async fn through(cluster: &Cluster, path: &str, tag: &str) -> Duration {
    let api = warehouses(cluster).await;
    let deliver = || async {
        cluster.post(path, "shop/api", tag);
    };
    seen(api, deliver).await
}
