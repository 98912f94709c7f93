//! Reads a webhook secret from a file. It must not know whose secret that is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use landfall_core::secret::SecretBytes;

/// No secret is longer; a longer file is a mistake, and must not fill the memory.
const MOST_BYTES: u64 = 64 << 10;

/// What a file says. `None` is an empty one, or no file at all.
pub(super) fn read(path: &Path) -> io::Result<Option<SecretBytes>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A pipe or a device would never end.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    Ok(secret(&bytes))
}

/// A secret without the newline that editors leave at the end of a file; nothing can be sent that ends in one.
pub(super) fn secret(bytes: &[u8]) -> Option<SecretBytes> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'))?;
    Some(SecretBytes::new(&bytes[..=end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_secret_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(read(&path).unwrap(), None);
        for (content, expected) in [
            ("", None),
            ("\n", None),
            ("s3cret", Some("s3cret")),
            ("s3cret\n", Some("s3cret")),
            ("s3\ncret\r\n", Some("s3\ncret")),
            (" s3cret ", Some(" s3cret ")),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap(), expected.map(SecretBytes::from), "{content:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err().to_string(), "it is no file");
        let path = folder.path().join("long");
        std::fs::write(&path, vec![b'x'; 64 << 10]).unwrap();
        assert!(read(&path).unwrap().is_some());
        std::fs::write(&path, vec![b'x'; (64 << 10) + 1]).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it is longer than 64 KiB");
    }
}
