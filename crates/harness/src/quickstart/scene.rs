//! Says what is pushed, in which order, and which Warehouse has to choose it in the end; it pushes nothing.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use landfall_harness::{ImageSpec, Platform};

/// One push and who tells landfall of it.
pub struct Scene {
    /// What there is to see, in a sentence.
    pub title: &'static str,
    /// The repository, without the registry.
    pub repository: &'static str,
    /// The tag.
    pub tag: &'static str,
    /// What is pushed.
    pub content: Content,
    /// Who tells landfall.
    pub sends: Sends,
    /// The Warehouse whose best image this is from now on.
    pub best_for: Option<&'static str>,
}

/// What is pushed.
pub enum Content {
    /// An image.
    Image(ImageSpec),
    /// An index of an image for each of some platforms.
    Index(Vec<ImageSpec>),
}

/// Who tells landfall of a push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sends {
    /// The registry notifies it.
    Registry,
    /// The quick start sends what Docker Hub would.
    DockerHub,
}

impl Scene {
    /// Repository and tag.
    pub fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    fn best_for(self, warehouse: &'static str) -> Self {
        Self {
            best_for: Some(warehouse),
            ..self
        }
    }
}

/// All scenes, in their order.
pub fn scenes() -> Result<Vec<Scene>> {
    Ok(vec![
        image("A first release", "shop/api", "1.0.0", "api 1.0.0").best_for("api"),
        image("A better one", "shop/api", "1.1.0", "api 1.1.0").best_for("api"),
        image(
            "A major release, which ^1.0.0 leaves out",
            "shop/api",
            "2.0.0",
            "api 2.0.0",
        ),
        image(
            "A nightly build: the same repository, another Warehouse",
            "shop/api",
            "nightly-20260101",
            "api nightly",
        )
        .best_for("nightly"),
        build("A build for two platforms", "main-9f3c2a1", "2026-01-01T10:00:00Z")?.best_for("web"),
        build(
            "A later build, though its tag sorts before the other",
            "main-1b7e4d0",
            "2026-01-02T10:00:00Z",
        )?
        .best_for("web"),
        image(
            "A tag that is followed by its digest",
            "shop/tools",
            "stable",
            "tools, January",
        )
        .best_for("tools"),
        image("The same tag moves", "shop/tools", "stable", "tools, February").best_for("tools"),
        Scene {
            sends: Sends::DockerHub,
            ..image(
                "An image of Docker Hub, asked at a mirror; Docker Hub's own webhook tells",
                "example/cache",
                "7.4.1",
                "cache 7.4.1",
            )
        }
        .best_for("cache"),
    ])
}

/// Images that nobody has pushed yet, to be tried by hand: a release, and one that comes later than its announcement.
pub fn not_pushed() -> [Scene; 2] {
    [
        image("Push one more release", "shop/api", "1.2.0", "api 1.2.0"),
        image("Push a late one", "example/cache", "7.5.0", "cache 7.5.0"),
    ]
}

fn image(title: &'static str, repository: &'static str, tag: &'static str, payload: &str) -> Scene {
    Scene {
        title,
        repository,
        tag,
        content: Content::Image(ImageSpec::new(payload)),
        sends: Sends::Registry,
        best_for: None,
    }
}

fn build(title: &'static str, tag: &'static str, created: &str) -> Result<Scene> {
    let created: Timestamp = created.parse().context("a scene's time is written wrongly")?;
    let platforms = ["amd64", "arm64"].map(|architecture| {
        ImageSpec::new(format!("web {tag} {architecture}"))
            .platform(Platform::new("linux", architecture))
            .created(created)
    });
    Ok(Scene {
        content: Content::Index(platforms.into()),
        ..image(title, "shop/web", tag, "")
    })
}
