//! Writes a script for the linker that puts the functions that run side by side: `layout MAP FOLDER...`. MAP is what the linker wrote of a
//! build, with names as they are; each FOLDER has what callgrind counted of that build's processes. What is always used comes first.
//!
//! The names in it hold for other builds, too: what differs from one compiler or version to another is left open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// A part of the program that the linker moves as a whole: which one it is in its language.
type Pattern = String;

/// What other processors use than the one that valgrind plays.
const OTHER_PROCESSORS: [&str; 3] = [
    "*(.text._RNvNtNtCs*_4sha26sha2567x86_sha8compress)",
    "*libaws_lc_sys-*.rlib:*curve25519_x25519.o(.text)",
    "*libaws_lc_sys-*.rlib:*curve25519_x25519base.o(.text)",
];

/// Large tables that hardly anything reads, among constants that everything reads: of curves that few certificates have, and of scripts that
/// no name of a host is written in.
const COLD_TABLES: [&str; 11] = [
    "*(.rodata.p384_g_pre_comp)",
    "*(.rodata.p521_g_pre_comp)",
    "*libaws_lc_sys-*.rlib:*curve25519_x25519base*.o(.rodata)",
    "*libaws_lc_sys-*.rlib:*edwards25519_scalarmulbase*.o(.rodata)",
    "*.h2.*(.rodata.*)",
    "*.idna.*(.rodata.*)",
    "*.regex_syntax.*(.rodata.*)",
    "*.unicode_bidi.*(.rodata.*)",
    "*.unicode_normalization.*(.rodata.*)",
    "*.unicode_segmentation.*(.rodata.*)",
    "*.unicode_width.*(.rodata.*)",
];

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let map = arguments.next().context("usage: layout MAP FOLDER...")?;
    let folders: Vec<PathBuf> = arguments.collect();
    ensure!(!folders.is_empty(), "usage: layout MAP FOLDER...");
    let text = fs::read_to_string(&map).with_context(|| format!("cannot read {}", map.display()))?;
    let parts = parts(&text);
    let mut seen = BTreeSet::new();
    let mut script = String::from(
        "/* The functions that run, side by side. Written by `make layout`, from what ran in the benchmarks; not by hand. */\n\
         SECTIONS\n{\n  .text.landfall :\n  {\n",
    );
    for folder in &folders {
        for functions in used(folder)? {
            let found: BTreeSet<&Pattern> = functions.iter().filter_map(|name| parts.get(name.as_str())).collect();
            ensure!(
                found.len() * 2 > functions.len() || functions.is_empty(),
                "{} knows few of the functions in {}: they are of another build, or without names",
                map.display(),
                folder.display()
            );
            for pattern in found {
                if seen.insert(pattern) {
                    script.push_str(&format!("    {pattern}\n"));
                }
            }
        }
    }
    for pattern in OTHER_PROCESSORS {
        script.push_str(&format!("    {pattern}\n"));
    }
    script.push_str("  }\n}\nINSERT BEFORE .text;\nSECTIONS\n{\n  .rodata.landfall :\n  {\n");
    for pattern in COLD_TABLES {
        script.push_str(&format!("    {pattern}\n"));
    }
    script.push_str("  }\n}\nINSERT AFTER .rodata;\n");
    Ok(io::stdout().write_all(script.as_bytes())?)
}

/// The functions of the processes in a folder: those that each of them used, and the others.
fn used(folder: &Path) -> Result<[BTreeSet<String>; 2]> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut processes = 0;
    for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let bytes = fs::read(file?.path())?;
        let functions = of_process(&String::from_utf8_lossy(&bytes));
        processes += usize::from(!functions.is_empty());
        for name in functions {
            *counts.entry(name).or_default() += 1;
        }
    }
    if processes == 0 {
        bail!("{} has no process that used any function", folder.display());
    }
    let (always, sometimes): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, count)| *count == processes);
    let names = |all: Vec<(String, usize)>| all.into_iter().map(|(name, _)| name).collect();
    Ok([names(always), names(sometimes)])
}

/// The functions that a process used, of callgrind's file without compression, its libraries' among them: what lies elsewhere than usual,
/// callgrind takes for nobody's. Where one calls itself, a number follows its name.
fn of_process(counted: &str) -> HashSet<String> {
    let without_depth = |name: &str| match name.rsplit_once('\'') {
        Some((name, depth)) if depth.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
        _ => name.to_owned(),
    };
    let functions = counted.lines().filter_map(|line| line.strip_prefix("fn="));
    functions.map(without_depth).collect()
}

/// In which part each function is. The map of LLVM's linker has a line for each: addresses and sizes, then a part as `file:(section)`,
/// indented by one step, or what is in it, by two.
fn parts(map: &str) -> HashMap<&str, Pattern> {
    const STEP: usize = 8;
    let (mut parts, mut current) = (HashMap::new(), None);
    for line in map.lines() {
        let mut rest = line;
        for _ in 0..4 {
            rest = rest.trim_start();
            rest = rest.trim_start_matches(|character: char| character.is_ascii_hexdigit());
        }
        let Some(rest) = rest.strip_prefix(' ') else { continue };
        let text = rest.trim_start_matches(' ');
        match (rest.len() - text.len()) / STEP {
            1 => current = pattern(text),
            2 => {
                if let Some(pattern) = &current {
                    parts.insert(text, Pattern::clone(pattern));
                }
            }
            _ => current = None,
        }
    }
    parts
}

/// What names a part in a script. A function that was compiled is a section of its own; what was written in assembly is told by its file.
fn pattern(part: &str) -> Option<Pattern> {
    let (file, section) = part.strip_suffix(')')?.split_once(":(")?;
    if section != ".text" {
        return section.starts_with(".text.").then(|| format!("*({})", open(section)));
    }
    let (archive, member) = file.strip_suffix(')')?.rsplit_once('(')?;
    let library = Path::new(archive).file_stem()?.to_str()?;
    let library = library.rsplit_once('-').map_or(library, |(name, _)| name);
    // A digest may come before the name.
    let member = match member.split_once('-') {
        Some((digest, name)) if digest.len() == 16 => format!("*{name}"),
        _ => member.to_owned(),
    };
    Some(format!("*{library}-*.rlib:{member}(.text)"))
}

/// A mangled name in which everything is left open that tells one build from another: which crate of a name it is (`Cs…_`), where in the
/// name something stood before (`B…_`), which follows from the lengths of these, and what LLVM adds where it moves a function.
fn open(section: &str) -> String {
    let section = match section.split_once(".llvm.") {
        Some((name, _)) => format!("{name}*"),
        None => section.to_owned(),
    };
    if !section.contains("._R") {
        return section;
    }
    let mut opened = String::with_capacity(section.len());
    let mut rest = section.as_str();
    while let Some(first) = rest.chars().next() {
        let number = |prefix: &str, least: usize, most: usize| -> Option<&str> {
            let (number, rest) = rest.strip_prefix(prefix)?.split_once('_')?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (is_number && (least..=most).contains(&number.len())).then_some(rest)
        };
        if let Some(after) = number("Cs", 8, 12) {
            opened.push_str("Cs*_");
            rest = after;
        } else if let Some(after) = number("B", 1, 3) {
            // Several of them are one gap, too.
            if !opened.ends_with("*_") {
                opened.push_str("B*_");
            }
            rest = after;
        } else {
            opened.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_builds_is_left_open() {
        for (section, expected) in [
            (".text.sqlite3_step", ".text.sqlite3_step"),
            (".text.unlikely.sqlite3_step.cold", ".text.unlikely.sqlite3_step.cold"),
            (
                ".text._RNvMs5_NtNtCsjrHSEGnQ3l9_3std2io5errorNtB5_5Error4kind.llvm.8976678026805092336",
                ".text._RNvMs5_NtNtCs*_3std2io5errorNtB*_5Error4kind*",
            ),
            (
                ".text._RINvNtCsgEmfK2I1SDS_4core3ptr13drop_in_placeNtB1a_B7_ECscAYEv4s1ExX_8landfall",
                ".text._RINvNtCs*_4core3ptr13drop_in_placeNtB*_ECs*_8landfall",
            ),
        ] {
            assert_eq!(open(section), expected);
        }
    }

    #[test]
    fn functions_are_found_in_the_parts_of_the_map() {
        let map = "\
             VMA              LMA     Size Align Out     In      Symbol
             2e0              2e0       1c     1 .interp
          52d600           52d600   4f91c9    64 .text
          8c5ae0           8c5ae0       67    16         /t/libaws_lc_sys-2efa3660c5435895.rlib(1e176ea429d6cb57-bcm.o):(.text.aws_x)
          8c5ae0           8c5ae0       67     1                 aws_x
         1654ae0          1654ae0     5537    32         /t/libaws_lc_sys-2efa3660c5435895.rlib(00d1b03bb8efc9c1-alt.o):(.text)
         1654ae0          1654ae0     5537     1                 aws_alt
         1654ae1          1654ae1     5537     1                 aws_other
          294afc           294afc     bdc0     1         /t/libaws_lc_sys-2efa3660c5435895.rlib(00d1b03bb8efc9c1-alt.o):(.rodata)
          294afc           294afc     bdc0     1                 constant
";
        let parts = parts(map);
        assert_eq!(parts["aws_x"], "*(.text.aws_x)");
        assert_eq!(parts["aws_alt"], "*libaws_lc_sys-*.rlib:*alt.o(.text)");
        assert_eq!(parts["aws_other"], parts["aws_alt"]);
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn what_is_called_alone_does_not_count() {
        let counted = "\
ob=/target/dist/landfall
fn=_RNvCsabcdefgh_8landfall4main
fn=sqlite3WalkExpr'2
12 3
cfn=not_this
";
        let expected = ["_RNvCsabcdefgh_8landfall4main", "sqlite3WalkExpr"];
        assert_eq!(of_process(counted), expected.map(str::to_owned).into());
    }

    #[test]
    fn what_each_process_used_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, functions) in [("1", "fn=a\nfn=b\n"), ("2", "fn=b\nfn=c\n")] {
            fs::write(folder.path().join(name), functions).unwrap();
        }
        let [always, sometimes] = used(folder.path()).unwrap();
        assert_eq!(
            (always, sometimes),
            (["b".to_owned()].into(), ["a", "c"].map(str::to_owned).into())
        );
    }
}
