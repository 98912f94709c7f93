//! Image Updater's commands with resources from an API server: what comes in at their door asks for refreshes there.

use landfall_harness::{free_port, wait};

use super::cluster::{post, shared, warehouse};
use super::readers;
use crate::scraped::Scraped;
use crate::world::PATIENCE;

#[test]
fn a_push_by_type_refreshes_warehouses_of_the_cluster() {
    for (program, arguments) in [("run", &["--enable-webhook"][..]), ("webhook", &[])] {
        let server = shared();
        let [project, other] = [(); 2].map(|()| server.namespace().unwrap());
        let warehouses = [
            warehouse(&project, "api", "shop/api"),
            warehouse(&project, "web", "shop/web"),
            warehouse(&other, "api", "shop/api"),
        ];
        server.apply(&warehouses.concat()).unwrap();
        let port = free_port().unwrap();
        let landfall = Scraped::command(program, |_| {
            let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            all.extend([
                "--kubernetes".to_owned(),
                format!("--kubeconfig={}", server.kubeconfig().display()),
                format!("--watch-namespaces={project},"),
                format!("--lease-namespace={project}"),
                format!("--webhook-port={port}"),
                "--disable-tls".to_owned(),
                "--docker-webhook-secret=s3cret".to_owned(),
            ]);
            all
        });
        let url = format!("http://127.0.0.1:{port}/webhook?type=docker.io&secret=");
        assert_eq!(post(&format!("{url}wrong"), "shop/api", "1.0.1").status, 401);
        let answer = post(&format!("{url}s3cret"), "shop/api", "1.0.1");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "Webhook received and processing"),
            "{program}: {}",
            landfall.log()
        );
        let token = |namespace: &str, name: &str| {
            let warehouse = ["warehouses.kargo.akuity.io", name, "--namespace", namespace];
            let found = server.get(&warehouse).unwrap();
            found["metadata"]["annotations"]["kargo.akuity.io/refresh"].is_string()
        };
        let refreshed = wait::until(PATIENCE, "a refresh", || token(&project, "api").then_some(()));
        refreshed.unwrap_or_else(|error| panic!("{program}: {error}\n{}", landfall.log()));
        assert!(!token(&project, "web"), "{program}: nobody pushed to it");
        assert!(!token(&other, "api"), "{program}: its namespace is not watched");

        // The same API server says who may read the metrics.
        assert_eq!(readers::read(&landfall, None).0, 401);
    }
}
