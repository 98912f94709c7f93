//! The strategy Digest: whatever one tag points at.

/// Whether the pushed tag is the one that is followed.
pub(super) fn wants(wanted: &str, tag: &str) -> Result<String, String> {
    if wanted == tag {
        Ok("the tag is the one to follow".to_owned())
    } else {
        Err(format!("the tag to follow is {wanted}"))
    }
}
