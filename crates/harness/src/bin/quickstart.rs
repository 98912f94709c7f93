//! The quick start: starts a real registry and landfall, pushes images, and shows what became of each push. It sees of
//! landfall what people see: its command line.

#[path = "../quickstart/arrival.rs"]
mod arrival;
#[path = "../quickstart/delivery.rs"]
mod delivery;
#[path = "../quickstart/invitation.rs"]
mod invitation;
#[path = "../quickstart/page.rs"]
mod page;
#[path = "../quickstart/parts.rs"]
mod parts;
#[path = "../quickstart/scene.rs"]
mod scene;
#[path = "../quickstart/settings.rs"]
mod settings;
#[path = "../quickstart/stop.rs"]
mod stop;
#[path = "../quickstart/story.rs"]
mod story;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use arrival::Expected;
use page::{Page, short};
use parts::{LOG, Parts};
use scene::{Sends, scenes};
use settings::{Ending, Settings};
use stop::{Stop, Stopped};
use story::{Narrator, Told};

/// What shells report of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// While it serves, the quick start looks this often whether landfall still does.
const PATROL: Duration = Duration::from_secs(2);
/// A signal reaches all processes of the terminal at once, and us perhaps after its effect on another one.
const SIGNAL_LAG: Duration = Duration::from_millis(300);

/// How the quick start came to its end.
enum End {
    Complete,
    Incomplete,
}

fn main() -> ExitCode {
    let page = Page::of_the_terminal();
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            page.problem(&format!("{error:#}"));
            return ExitCode::FAILURE;
        }
    };
    match quick_start(&page, &stop) {
        Ok(End::Complete) => ExitCode::SUCCESS,
        Ok(End::Incomplete) => ExitCode::FAILURE,
        Err(error) if error.is::<Stopped>() || stop.asked_within(SIGNAL_LAG) => {
            page.line("");
            page.line("Stopped early; no process is left.");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            page.problem(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything that it starts ends with it, however it returns.
fn quick_start(page: &Page, stop: &Stop) -> Result<End> {
    let settings = Settings::from(|name| std::env::var(name).ok())?;
    let mut parts = Parts::start(&settings, page, stop)?;
    let warehouses = arrival::first_looks(&parts.landfall, stop)?;
    page.good(&format!(
        "landfall is ready: {warehouses} Warehouses, and nothing in the registry yet."
    ));
    let shown = show(&parts, page, stop)?;
    page.heading("What landfall recorded:", "landfall get warehouses");
    let missing = arrival::missing(&parts.landfall, &shown.expected, stop)?;
    page.block(&parts.print(&["get", "warehouses"])?);
    let end = conclude(&shown, &missing, &parts, page);
    if settings.ending == Ending::ByCtrlC {
        serve(&parts, page, stop)?;
    }
    let status = parts.landfall.terminate().context("landfall did not stop")?;
    drop(parts);
    page.line(&format!("landfall has stopped ({status}), and so has the registry."));
    Ok(end)
}

/// What came of the scenes.
struct Shown {
    pushes: usize,
    /// Those of which landfall did not hear, or did not do what they were for.
    broken: Vec<String>,
    /// What the statuses have to show now.
    expected: Vec<Expected>,
}

/// Plays all scenes.
fn show(parts: &Parts, page: &Page, stop: &Stop) -> Result<Shown> {
    let mut narrator = Narrator::new(&parts.landfall, page, stop);
    let (mut broken, mut expected) = (Vec::new(), Vec::new());
    let scenes = scenes()?;
    let pushes = scenes.len();
    for (index, scene) in scenes.into_iter().enumerate() {
        stop.check()?;
        page.scene(index + 1, scene.title);
        let digest = parts.push(&scene)?;
        let pushed = format!("{} with skopeo ({})", scene.name(), short(digest.as_str()));
        page.step("", "pushed", &pushed);
        if scene.sends == Sends::DockerHub {
            let answer = parts.send_dockerhub(scene.repository, scene.tag)?;
            page.step("", "sent", "what Docker Hub posts, with `landfall send dockerhub`");
            page.step("", "answered", &answer);
        }
        if narrator.tell(&parts.repository_of(&scene), scene.tag)? == Told::Broken {
            broken.push(format!("the push of {} was not followed to its end", scene.name()));
        }
        if let Some(warehouse) = scene.best_for {
            expected.retain(|other: &Expected| other.warehouse != warehouse);
            let tag = scene.tag;
            expected.push(Expected { warehouse, tag, digest });
        }
    }
    Ok(Shown {
        pushes,
        broken,
        expected,
    })
}

fn conclude(shown: &Shown, missing: &[String], parts: &Parts, page: &Page) -> End {
    if shown.broken.is_empty() && missing.is_empty() {
        let (pushes, warehouses) = (shown.pushes, shown.expected.len());
        page.good(&format!(
            "All {pushes} pushes were followed up, and all {warehouses} Warehouses show the digest that was pushed."
        ));
        return End::Complete;
    }
    for line in shown.broken.iter().chain(missing) {
        page.problem(line);
    }
    page.heading("The end of landfall's log:", LOG);
    page.block(&parts.end_of_log());
    page.line("");
    End::Incomplete
}

/// Goes on until Ctrl-C, or until landfall ends by itself.
fn serve(parts: &Parts, page: &Page, stop: &Stop) -> Result<()> {
    invitation::invite(parts, page)?;
    while !stop.asked_within(PATROL) {
        if !parts.landfall_listens() && !stop.asked_within(SIGNAL_LAG) {
            anyhow::bail!(
                "landfall has ended by itself; the end of {LOG}:\n{}",
                parts.end_of_log()
            );
        }
    }
    page.line("");
    Ok(())
}
