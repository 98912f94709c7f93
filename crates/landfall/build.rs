//! Tells the linker where what runs goes. It changes nothing of what that does.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The functions that run, side by side; `make layout` writes it.
const LAYOUT: &str = "layout.ld";
/// Since when glibc can read packed relocations.
const PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LAYOUT}");
    if !ships() {
        return;
    }
    // The system maps 64 KiB around each page that is used. Scattered, a fifth of the code would have nearly all of it in memory.
    let layout = Path::new(&variable("CARGO_MANIFEST_DIR")).join(LAYOUT);
    link("-T");
    link(&layout.display().to_string());
    // 40,000 addresses of which each start reads where they are: 64 of them in 8 bytes instead of one in 24. Who has an older system
    // builds without.
    if glibc().is_some_and(|version| version >= PACKED) {
        link("-Wl,-z,pack-relative-relocs");
    }
}

/// Whether this is the profile that ships: to match so many names takes the linker 20 seconds. It is its own linker that is asked, which
/// Rust brings along where this is so.
fn ships() -> bool {
    let is_profile = PathBuf::from(variable("OUT_DIR"))
        .components()
        .any(|folder| folder.as_os_str() == "dist");
    let is_known = |(name, value): (&str, &str)| variable(name) == value;
    let target = [
        ("CARGO_CFG_TARGET_ARCH", "x86_64"),
        ("CARGO_CFG_TARGET_OS", "linux"),
        ("CARGO_CFG_TARGET_ENV", "gnu"),
    ];
    is_profile && target.into_iter().all(is_known)
}

/// The version of the library that this machine's programs share. What is built for another machine is not packed.
fn glibc() -> Option<(u32, u32)> {
    if variable("HOST") != variable("TARGET") {
        return None;
    }
    let answer = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let answer = String::from_utf8(answer.stdout).ok()?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn link(argument: &str) {
    println!("cargo::rustc-link-arg-bins={argument}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
