use std::os::unix::fs::symlink;
use std::path::Path;

use jiff::SignedDuration;
use tempfile::TempDir;

use super::super::testing::{Chain, DAY, START};
use super::*;

/// A keeper with its folder, looked at in an order that the test decides.
struct Kept {
    folder: TempDir,
    keeper: Keeper,
    status: CertificateStatus,
}

/// What is shown of a certificate: where it is from, the days left, and the problem with the folder's name left out.
type Shown = (&'static str, i64, Option<String>);

impl Kept {
    fn open(prepare: impl FnOnce(&Path)) -> Self {
        Self::try_open(prepare).map_err(|error| error.to_string()).unwrap()
    }

    fn try_open(prepare: impl FnOnce(&Path)) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (keeper, status) = Keeper::open(files(folder.path()), START)?;
        Ok(Self { folder, keeper, status })
    }

    fn look(&mut self, now: Timestamp) -> Shown {
        self.keeper.look(&self.status.0, now);
        self.shown(now)
    }

    fn shown(&self, now: Timestamp) -> Shown {
        let current = self.status.current();
        let source = match current.source {
            Source::File(_) => "file",
            Source::SelfSigned => "own",
        };
        let prefix = format!("{}/", self.folder.path().display());
        let problem = current.problem.as_ref().map(|problem| problem.replace(&prefix, ""));
        (source, current.days_left(now), problem)
    }

    fn key(&self) -> *const () {
        Arc::as_ptr(&self.status.current().key).cast()
    }
}

fn files(folder: &Path) -> CertificateFiles {
    CertificateFiles {
        certificate: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        named: false,
    }
}

fn write(folder: &Path, chain: &Chain) {
    std::fs::write(folder.join("tls.crt"), &chain.certificate).unwrap();
    std::fs::write(folder.join("tls.key"), &chain.key).unwrap();
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const KEPT: &str = "; what was served before still is";

#[test]
fn a_renewed_certificate_is_put_in_force() {
    let mut kept = Kept::open(|folder| write(folder, &Chain::of(&[("first", 0, 90)])));
    assert_eq!(kept.shown(START), ("file", 90, None));
    let first = kept.key();
    assert_eq!(kept.look(START + DAY), ("file", 89, None));
    assert_eq!(kept.key(), first);
    write(kept.folder.path(), &Chain::of(&[("second", 0, 180)]));
    assert_eq!(kept.look(START + DAY), ("file", 179, None));
    assert_ne!(kept.key(), first);
}

#[test]
fn a_swapped_link_is_followed() {
    let mount = |folder: &Path, generation: &str, chain: &Chain| {
        let data = folder.join(generation);
        std::fs::create_dir(&data).unwrap();
        write(&data, chain);
        symlink(generation, folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join("..data")).unwrap();
    };
    let mut kept = Kept::open(|folder| {
        mount(folder, "..1", &Chain::of(&[("first", 0, 90)]));
        symlink("..data/tls.crt", folder.join("tls.crt")).unwrap();
        symlink("..data/tls.key", folder.join("tls.key")).unwrap();
    });
    mount(kept.folder.path(), "..2", &Chain::of(&[("second", 0, 180)]));
    assert_eq!(kept.look(START), ("file", 180, None));
}

#[test]
fn a_bad_renewal_keeps_what_was_in_force() {
    let first = Chain::of(&[("first", 0, 90)]);
    let second = Chain::of(&[("second", 0, 180)]);
    let expired = Chain::of(&[("old", -9, -2)]);
    let (crt, key) = (
        "failed to load TLS certificate from tls.crt: ",
        "failed to load TLS certificate from tls.key: ",
    );
    for (certificate, private, problem) in [
        (
            &second.certificate,
            &first.key,
            format!("{key}the private key does not belong to the certificate in FOLDER/tls.crt{KEPT}"),
        ),
        (
            &expired.certificate,
            &expired.key,
            format!("{crt}certificate 1 (CN=old) expired at 2025-12-30T00:00:00Z; renew it{KEPT}"),
        ),
        (
            &"nonsense".to_owned(),
            &second.key,
            format!("{crt}the file holds no certificate in PEM{KEPT}"),
        ),
        (
            &String::new(),
            &second.key,
            format!("the TLS certificate in tls.crt is gone, or its key is{KEPT}"),
        ),
    ] {
        let mut kept = Kept::open(|folder| write(folder, &first));
        let before = kept.key();
        let folder = kept.folder.path().to_owned();
        std::fs::write(folder.join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.join("tls.key"), private).unwrap();
        // The first look may have come between two writes.
        assert_eq!(kept.look(START), ("file", 90, None));
        let problem = problem.replace("FOLDER/", "");
        assert_eq!(kept.look(START), ("file", 90, Some(problem)));
        assert_eq!(kept.key(), before);
        write(&folder, &second);
        assert_eq!(kept.look(START), ("file", 180, None));
        assert_ne!(kept.key(), before);
    }
}

#[test]
fn what_was_good_and_comes_back_is_no_problem() {
    let first = Chain::of(&[("first", 0, 90)]);
    let mut kept = Kept::open(|folder| write(folder, &first));
    let folder = kept.folder.path().to_owned();
    std::fs::remove_file(folder.join("tls.key")).unwrap();
    kept.look(START);
    let gone = some("the TLS certificate in tls.crt is gone, or its key is; what was served before still is");
    assert_eq!(kept.look(START), ("file", 90, gone));
    write(&folder, &first);
    assert_eq!(kept.look(START), ("file", 90, None));
}

#[test]
fn without_files_one_is_made_and_made_anew() {
    let mut kept = Kept::open(|_| {});
    assert_eq!(kept.shown(START), ("own", 365, None));
    let first = kept.key();
    assert_eq!(kept.look(START + DAY * 334), ("own", 31, None));
    assert_eq!(kept.key(), first);
    assert_eq!(kept.look(START + DAY * 335), ("own", 365, None));
    assert_ne!(kept.key(), first);
    write(kept.folder.path(), &Chain::of(&[("at last", 0, 400)]));
    assert_eq!(kept.look(START + DAY * 336), ("file", 64, None));
}

#[test]
fn files_that_were_named_and_are_not_there_are_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let named = CertificateFiles {
        named: true,
        ..files(folder.path())
    };
    let (keeper, status) = Keeper::open(named, START).map_err(|error| error.to_string()).unwrap();
    let mut kept = Kept { folder, keeper, status };
    let problem = some(
        "tls.crt and tls.key are not there, or are empty: until both are, a self-signed TLS certificate is served",
    );
    assert_eq!(kept.shown(START), ("own", 365, problem));
    write(kept.folder.path(), &Chain::of(&[("at last", 0, 90)]));
    assert_eq!(kept.look(START), ("file", 90, None));
}

#[test]
fn half_of_the_files_is_a_problem() {
    let chain = Chain::of(&[("leaf", 0, 90)]);
    let until = "is not, or is empty: until both are, a self-signed TLS certificate is served";
    for (certificate, key, problem) in [
        (
            None,
            Some(chain.key.as_str()),
            format!("tls.key is there and tls.crt {until}"),
        ),
        (
            Some(chain.certificate.as_str()),
            None,
            format!("tls.crt is there and tls.key {until}"),
        ),
        (
            Some(chain.certificate.as_str()),
            Some(""),
            format!("tls.crt is there and tls.key {until}"),
        ),
    ] {
        let kept = Kept::open(|folder| {
            for (name, content) in [("tls.crt", certificate), ("tls.key", key)] {
                if let Some(content) = content {
                    std::fs::write(folder.join(name), content).unwrap();
                }
            }
        });
        assert_eq!(kept.shown(START), ("own", 365, Some(problem)));
    }
}

#[test]
fn bad_files_are_an_error_at_the_start() {
    let expired = Chain::of(&[("old", -9, -2)]);
    let Err(error) = Kept::try_open(|folder| write(folder, &expired)) else {
        panic!("an expired certificate was taken");
    };
    let said = error.to_string();
    assert!(
        said.ends_with("tls.crt: certificate 1 (CN=old) expired at 2025-12-30T00:00:00Z; renew it"),
        "{said}"
    );
    let Err(error) = Kept::try_open(|folder| std::fs::create_dir(folder.join("tls.crt")).unwrap()) else {
        panic!("a folder was taken for a certificate");
    };
    assert!(
        error.to_string().contains("tls.crt: the file cannot be read: "),
        "{error}"
    );
}

#[test]
fn days_are_counted_whole_and_below_nothing() {
    let kept = Kept::open(|folder| write(folder, &Chain::of(&[("leaf", 0, 2)])));
    let hour = SignedDuration::from_hours(1);
    for (now, days) in [
        (START, 2),
        (START + hour, 1),
        (START + DAY * 2 - hour, 0),
        (START + DAY * 2, 0),
        (START + DAY * 2 + hour, -1),
        (START + DAY * 3 + hour, -2),
    ] {
        assert_eq!(kept.shown(now).1, days, "{now}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let chain = Chain::of(&[("leaf", 0, 90)]);
    let kept = Kept::open(|folder| write(folder, &chain));
    let shown = format!("{:?}", kept.status);
    assert_eq!(
        shown,
        format!(
            "CertificateStatus(from {})",
            kept.folder.path().join("tls.crt").display()
        )
    );
}
