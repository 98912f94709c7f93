//! Says what to try while landfall goes on serving, as commands to copy; it runs none of them.

use anyhow::Result;

use super::page::Page;
use super::parts::{DATA, MANIFESTS, Parts};
use super::scene::{Scene, not_pushed};

/// Leaves images to push in the run folder, and prints the commands.
pub fn invite(parts: &Parts, page: &Page) -> Result<()> {
    let landfall = |command: &str| format!("{} {command} --data-dir {DATA}", parts.binary());
    let [release, late] = not_pushed();
    let push_late = push(parts, &late)?;
    let send = format!(
        "{} send dockerhub --repo {} --tag {} --to {}",
        parts.binary(),
        late.repository,
        late.tag,
        parts.dockerhub_url()?
    );
    page.heading("landfall goes on serving.", "In another terminal, try:");
    page.command(release.title, &push(parts, &release)?);
    page.command("See what each Warehouse has chosen", &landfall("get warehouses"));
    page.command("See what came in", &landfall("deliveries list"));
    page.command(
        "Hear the story of one, by an id of that list",
        &landfall("deliveries explain ID"),
    );
    page.command(
        "Change what is wanted: 1.0.x instead of 1.x",
        &format!("sed -i 's/\\^1\\.0\\.0/~1.0.0/' {MANIFESTS}/warehouses.yaml"),
    );
    page.command(
        "Tell landfall of a tag that is not there yet: `deliveries list` shows it waiting",
        &send,
    );
    page.command("Then push it: it arrives with the next attempt", &push_late);
    if let Some(process) = parts.registry().process_id() {
        page.command(
            "Stop the registry: what is sent now is kept, and tried again",
            &format!("kill {process}"),
        );
    }
    page.line("");
    page.line("Ctrl-C ends landfall and the registry.");
    Ok(())
}

fn push(parts: &Parts, scene: &Scene) -> Result<String> {
    let layout = parts.write_layout(scene)?;
    Ok(format!(
        "skopeo --insecure-policy copy --dest-tls-verify=false oci:{}:{} docker://{}/{}",
        layout.display(),
        scene.tag,
        parts.registry().host(),
        scene.name()
    ))
}
